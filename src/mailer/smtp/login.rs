//! `AUTH`, with PLAIN (RFC 4616) or LOGIN. Not by lettre's own function, which distinguishes upper and lower case in
//! the server's keywords, against RFC 5321 §2.4.

use lettre::transport::smtp::{
    authentication::{Credentials, Mechanism},
    client::AsyncSmtpConnection,
    commands::Auth,
};

use super::{
    channel::Heard,
    refusal::Refusal,
    relay::{Login, Relay},
    step::{offered, refusal, step},
};
use crate::mailer::reply::Phase;

/// LOGIN asks for the user name and for the password; a server that asks for more is not answered for ever.
const QUESTIONS: usize = 10;

/// Logs in, if the relay has credentials. `hello` is the server's reply to `EHLO`.
pub(super) async fn log_in(
    connection: &mut AsyncSmtpConnection,
    heard: &Heard,
    relay: &Relay,
    hello: &str,
) -> Result<(), Refusal> {
    let Some(login) = &relay.login else {
        return Ok(());
    };
    let unusable = |why| Refusal::unusable(Phase::Auth, why);
    let mechanism = mechanism(hello)
        .ok_or_else(|| unusable("the server offers neither AUTH PLAIN nor AUTH LOGIN"))?;
    let credentials = credentials(login);
    let mut answer = Auth::new(mechanism, credentials.clone(), None);
    for _ in 0..QUESTIONS {
        let known = answer.map_err(|_| {
            unusable("the server asks a question that AUTH PLAIN and AUTH LOGIN do not know")
        })?;
        heard.forget();
        let asking = connection.command(known);
        let reply = step(heard, 0, relay.patience.greeting, asking)
            .await
            .map_err(|error| refusal(Phase::Auth, error))?;
        if !reply.has_code(334) {
            return Ok(());
        }
        answer = Auth::new_from_response(mechanism, credentials.clone(), &reply);
    }
    Err(unusable("the server asks for more than a login"))
}

fn credentials(login: &Login) -> Credentials {
    Credentials::new(login.user.clone(), login.password.clone())
}

/// The mechanism to log in with.
fn mechanism(hello: &str) -> Option<Mechanism> {
    let offers = |name: &str| {
        offered(hello).any(|offer| {
            // Some old servers write `AUTH=LOGIN`.
            let mut words = offer.split([' ', '=']);
            let is_auth = words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case("AUTH"));
            is_auth && words.any(|word| word.trim().eq_ignore_ascii_case(name))
        })
    };
    [("PLAIN", Mechanism::Plain), ("LOGIN", Mechanism::Login)]
        .into_iter()
        .find_map(|(name, mechanism)| offers(name).then_some(mechanism))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_have_no_case() {
        for (hello, expected) in [
            ("250-x\r\n250 AUTH PLAIN LOGIN\r\n", Some(Mechanism::Plain)),
            ("250-x\r\n250 auth login plain\r\n", Some(Mechanism::Plain)),
            (
                "250-x\r\n250 Auth Cram-MD5 Login\r\n",
                Some(Mechanism::Login),
            ),
            ("250-x\r\n250 AUTH=LOGIN\r\n", Some(Mechanism::Login)),
            ("250-x\r\n250 AUTH CRAM-MD5\r\n", None),
            ("250-plain\r\n250 DSN\r\n", None),
        ] {
            assert_eq!(mechanism(hello), expected, "{hello}");
        }
    }
}
