//! `smtp://user:password@host:port?tls=required`: one setting for a relay.

use percent_encoding::percent_decode_str;

use super::relay::{Login, Patience, Recycle, Relay, Tls};

/// What is wrong with an SMTP URL. Never contains the URL itself, which may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpUrlError {
    /// The scheme is unknown.
    #[error("the SMTP URL must start with smtp://, smtps:// or smtp+starttls://")]
    Scheme,
    /// The host is missing.
    #[error("the SMTP URL has no host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port in the SMTP URL is not a number from 1 to 65535")]
    Port,
    /// There is a user without a password, or percent-encoding that is not UTF-8.
    #[error("the SMTP URL's credentials must be user:password, percent-encoded")]
    Credentials,
    /// Credentials would be sent in clear text.
    #[error("the SMTP URL has credentials but no TLS: use smtp+starttls:// or smtps://")]
    CredentialsInClear,
    /// A parameter is unknown.
    #[error("the only parameter that an SMTP URL may have is tls=required (STARTTLS) or tls=none")]
    Parameter,
}

impl Relay {
    /// Reads `smtp://host[:25]` (clear), `smtp+starttls://host[:587]` (or `smtp://…?tls=required`), `smtps://host[:465]`.
    ///
    /// # Errors
    /// Names the part that is wrong, without repeating it. Credentials without TLS are refused, except to this machine.
    pub fn parse(
        url: &str,
        hello: &str,
        trust: std::sync::Arc<rustls::ClientConfig>,
    ) -> Result<Self, SmtpUrlError> {
        let (scheme, rest) = url.split_once("://").ok_or(SmtpUrlError::Scheme)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.trim_end_matches('/');
        let mut tls = match scheme {
            "smtp" => Tls::None,
            "smtp+starttls" => Tls::StartTls,
            "smtps" => Tls::Implicit,
            _ => return Err(SmtpUrlError::Scheme),
        };
        match (query, tls) {
            ("", _) => {}
            ("tls=required", Tls::None) => tls = Tls::StartTls,
            ("tls=required", _) | ("tls=none", Tls::None) => {}
            _ => return Err(SmtpUrlError::Parameter),
        }
        let (login, authority) = match rest.rsplit_once('@') {
            Some((login, authority)) => (Some(parse_login(login)?), authority),
            None => (None, rest),
        };
        let (host, port) = split_port(authority)?;
        let port = match (port, tls) {
            (Some(port), _) => port,
            (None, Tls::None) => 25,
            (None, Tls::StartTls) => 587,
            (None, Tls::Implicit) => 465,
        };
        let here = matches!(host, "localhost" | "127.0.0.1" | "::1");
        if login.is_some() && tls == Tls::None && !here {
            return Err(SmtpUrlError::CredentialsInClear);
        }
        Ok(Self {
            host: host.to_owned(),
            port,
            tls,
            login,
            hello: hello.to_owned(),
            patience: Patience::default(),
            recycle: Recycle::default(),
            trust,
        })
    }
}

fn parse_login(login: &str) -> Result<Login, SmtpUrlError> {
    let (user, password) = login.split_once(':').ok_or(SmtpUrlError::Credentials)?;
    let decode = |part: &str| {
        percent_decode_str(part)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| SmtpUrlError::Credentials)
    };
    let login = Login {
        user: decode(user)?,
        password: decode(password)?,
    };
    if login.user.is_empty() || login.password.is_empty() {
        return Err(SmtpUrlError::Credentials);
    }
    Ok(login)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), SmtpUrlError> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(SmtpUrlError::Host)?;
        (host, rest.strip_prefix(':'))
    } else if let Some((host, port)) = authority.rsplit_once(':') {
        (host, Some(port))
    } else {
        (authority, None)
    };
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(known) {
        return Err(SmtpUrlError::Host);
    }
    match port.map(str::parse::<u16>) {
        None => Ok((host, None)),
        Some(Ok(port)) if port > 0 => Ok((host, Some(port))),
        Some(_) => Err(SmtpUrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::smtp::trust_of_this_machine;

    fn parse(url: &str) -> Result<Relay, SmtpUrlError> {
        Relay::parse(url, "news.example.org", trust_of_this_machine().unwrap())
    }

    #[test]
    fn the_scheme_decides_port_and_protection() {
        for (url, host, port, tls) in [
            ("smtp://localhost", "localhost", 25, Tls::None),
            ("smtp://10.0.0.7:2525/", "10.0.0.7", 2525, Tls::None),
            ("smtp://[::1]:2525", "::1", 2525, Tls::None),
            (
                "smtp+starttls://mx.example",
                "mx.example",
                587,
                Tls::StartTls,
            ),
            (
                "smtp://mx.example?tls=required",
                "mx.example",
                587,
                Tls::StartTls,
            ),
            ("smtps://mx.example", "mx.example", 465, Tls::Implicit),
        ] {
            let relay = parse(url).unwrap();
            assert_eq!(
                (relay.host.as_str(), relay.port, relay.tls),
                (host, port, tls),
                "{url}"
            );
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_printed() {
        let relay = parse("smtps://news%40example.org:p%3Ass%2Fword@mx.example").unwrap();
        let login = relay.login.clone().unwrap();
        assert_eq!(login.user, "news@example.org");
        assert_eq!(login.password, "p:ss/word");
        assert!(!format!("{relay:?}").contains("p:ss"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (url, error) in [
            ("mx.example:25", SmtpUrlError::Scheme),
            ("http://mx.example", SmtpUrlError::Scheme),
            ("smtp://", SmtpUrlError::Host),
            ("smtp://mx example", SmtpUrlError::Host),
            ("smtp://mx.example:0", SmtpUrlError::Port),
            ("smtp://mx.example:99999", SmtpUrlError::Port),
            ("smtps://user@mx.example", SmtpUrlError::Credentials),
            (
                "smtp://user:pass@mx.example",
                SmtpUrlError::CredentialsInClear,
            ),
            ("smtp://mx.example?tls=maybe", SmtpUrlError::Parameter),
            ("smtps://mx.example?tls=none", SmtpUrlError::Parameter),
        ] {
            assert_eq!(parse(url).unwrap_err(), error, "{url}");
        }
    }
}
