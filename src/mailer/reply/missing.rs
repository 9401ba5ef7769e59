//! Finds out whether a reply says that an address or a domain does not exist. "Does not exist", "not found" and
//! "unknown" mean something only together with their subject.

/// Phrases that need a subject. `true`: without one, the phrase is about the address to which the server replied.
#[rustfmt::skip]
const PHRASES: &[(&[&str], bool)] = &[
    (&["does", "not", "exist"], true), (&["doesn", "t", "exist"], true), (&["do", "not", "exist"], true),
    (&["not", "exist"], false), (&["not", "exists"], false), (&["not", "found"], false), (&["not", "known"], false),
    (&["not", "be", "found"], false), (&["t", "be", "found"], false), (&["not", "present"], false),
    (&["unknown"], false), (&["nonexistent"], false), (&["non", "existent"], false),
    (&["existiert", "nicht"], true), (&["nicht", "existiert"], false), (&["unbekannt"], false), (&["unbekannte"], false),
    (&["unbekannter"], false), (&["nicht", "gefunden"], false), (&["nicht", "bekannt"], false),
    (&["nicht", "vorhanden"], false), (&["gibt", "es", "nicht"], false),
    (&["n", "existe", "pas"], true), (&["inconnu"], false), (&["inconnue"], false), (&["introuvable"], false),
    (&["inexistant"], false), (&["inexistante"], false), (&["pas", "été", "trouvé"], false),
    (&["pas", "été", "trouvée"], false),
    (&["no", "existe"], true), (&["desconocido"], false), (&["desconocida"], false), (&["inexistente"], false),
    (&["no", "encontrado"], false), (&["no", "encontrada"], false), (&["no", "se", "encontró"], false),
    (&["no", "se", "encuentra"], false),
    (&["não", "existe"], true), (&["desconhecido"], false), (&["não", "encontrado"], false),
    (&["non", "esiste"], true), (&["sconosciuto"], false), (&["inesistente"], false), (&["non", "trovato"], false),
    (&["non", "trovata"], false), (&["non", "è", "stato", "trovato"], false),
    (&["bestaat", "niet"], true), (&["onbekend"], false), (&["onbekende"], false), (&["niet", "gevonden"], false),
    (&["nie", "istnieje"], true), (&["nieznany"], false), (&["nieznana"], false), (&["nie", "znaleziono"], false),
    (&["не", "существует"], true), (&["не", "найден"], false), (&["не", "знайдено"], false), (&["неизвестен"], false),
    (&["okänd"], false), (&["ukendt"], false), (&["ukjent"], false), (&["tuntematon"], false), (&["ismeretlen"], false),
];

#[rustfmt::skip]
const ADDRESS: &[&str] = &[
    "user", "users", "username", "mailbox", "account", "address", "addressee", "addresses", "recipient", "recipients", "rcpt",
    "email", "alias", "person", "mailaddress", "userid",
    "benutzer", "nutzer", "empfänger", "adresse", "adressat", "emailadresse", "empfängeradresse", "zieladresse", "mailadresse", "postfach", "konto",
    "utilisateur", "destinataire", "compte", "boite", "boîte", "messagerie",
    "usuario", "destinatario", "buzón", "cuenta", "dirección", "direccion", "casilla",
    "usuário", "utilizador", "destinatário", "endereço", "conta",
    "utente", "indirizzo", "casella",
    "gebruiker", "geadresseerde", "ontvanger", "adres", "mailadres", "emailadres", "postvak",
    "użytkownik", "użytkownika", "odbiorca", "odbiorcy", "adresu", "skrzynka",
    "пользователь", "получатель", "адрес", "адресат", "ящик", "користувача",
    "användare", "mottagare", "bruger", "modtager", "bruker", "käyttäjä", "felhasználó", "címzett",
];

#[rustfmt::skip]
const DOMAIN: &[&str] = &[
    "domain", "domains", "host", "hosts", "hostname", "dns", "domäne", "domaine", "dominio", "domein", "domena", "domeny",
    "домен", "domínio", "zielsystem", "maildomain",
];

/// Subjects that are neither an address nor a domain.
#[rustfmt::skip]
const THING: &[&str] = &[
    "record", "records", "page", "link", "url", "site", "file", "message", "messages", "content", "image", "attachment", "error",
    "reason", "problem", "status", "command", "option", "protocol", "service", "object", "key", "cause", "fehler", "grund",
    "charset", "encoding", "extension", "type", "parameter",
];

#[rustfmt::skip]
const ARTICLES: &[&str] = &[
    "the", "this", "our", "your", "that", "a", "der", "die", "das", "dem", "dieser", "diesem", "le", "la", "ce", "el", "este", "su",
    "il", "lo", "questo", "o", "het", "dit", "een",
];

/// A noun after one of these is only a place, not the subject.
#[rustfmt::skip]
const PREPOSITIONS: &[&str] = &[
    "in", "of", "at", "on", "for", "by", "auf", "im", "unter", "bei", "beim", "am", "von", "dans", "sur", "du", "de", "en", "del",
    "nel", "sul", "da", "op", "van", "na", "w", "dla",
];

/// How many words before and after a phrase are searched for its subject.
const BEFORE: usize = 9;
const AFTER: usize = 3;

/// What a text says does not exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) address: bool,
    pub(super) domain: bool,
}

/// What `text`, normalised by [`super::words::plain`], says does not exist.
pub(super) fn missing(text: &str) -> Missing {
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let mut missing = Missing::default();
    for at in 0..words.len() {
        let phrase = PHRASES
            .iter()
            .find(|(phrase, _)| words.get(at..at + phrase.len()) == Some(*phrase));
        let Some((phrase, alone)) = phrase else {
            continue;
        };
        let before = words.get(..at).unwrap_or_default();
        let after = words.get(at + phrase.len()..).unwrap_or_default();
        match said_of(before).or_else(|| said_to(after)) {
            Some(Noun::Address) => missing.address = true,
            Some(Noun::Domain) => missing.domain = true,
            Some(Noun::Thing) => {}
            None => missing.address |= alone,
        }
    }
    missing
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noun {
    Address,
    Domain,
    Thing,
}

fn noun(word: &str) -> Option<Noun> {
    let kinds = [
        (ADDRESS, Noun::Address),
        (DOMAIN, Noun::Domain),
        (THING, Noun::Thing),
    ];
    let found = kinds.into_iter().find(|(words, _)| words.contains(&word));
    found.map(|(_, noun)| noun)
}

/// The subject before a phrase: the nearest noun that is not only a place. "The domain example.net does not exist",
/// "the user ada of the domain example.net does not exist".
fn said_of(before: &[&str]) -> Option<Noun> {
    let near = before.len().saturating_sub(BEFORE);
    let mut only_where = None;
    for at in (near..before.len()).rev() {
        let found = before.get(at).and_then(|word| noun(word));
        let Some(found) = found else { continue };
        let mut leading = before.iter().take(at).rev().copied();
        let leading = leading.find(|word| !ARTICLES.contains(word));
        if leading.is_some_and(|word| PREPOSITIONS.contains(&word)) {
            only_where = only_where.or(Some(found));
        } else {
            return Some(found);
        }
    }
    only_where
}

/// The subject after a phrase: "unknown user", "unknown or illegal alias", "unknown recipient domain".
fn said_to(after: &[&str]) -> Option<Noun> {
    let at = (0..AFTER).find(|at| after.get(*at).is_some_and(|word| noun(word).is_some()))?;
    let next = after.get(at + 1).and_then(|word| noun(word));
    let first = after.get(at).and_then(|word| noun(word));
    next.filter(|noun| *noun == Noun::Domain).or(first)
}

#[cfg(test)]
mod tests {
    use super::super::words::plain;
    use super::*;

    #[test]
    fn what_is_not_there_is_what_it_is_said_of() {
        let address = (true, false);
        let domain = (false, true);
        for (words, expected) in [
            ("<ada@example.net> does not exist", address),
            ("The domain example.net does not exist", domain),
            ("DNS domain example.net does not exist", domain),
            (
                "The user ada of the domain example.net does not exist",
                address,
            ),
            ("mailbox ada does not exist on this host", address),
            ("Unknown user", address),
            ("Unknown host: example.net", domain),
            ("unknown recipient domain", domain),
            ("mailbox or domain not found, user unknown", (true, true)),
            ("unknown or illegal alias", address),
            ("unknown error while talking to the mailbox", (false, false)),
            (
                "the record for this message does not exist in the queue",
                (false, false),
            ),
            ("Benutzer ist unbekannt", address),
            ("Die Domäne example.net existiert nicht", domain),
            ("adresse inconnue", address),
            ("le domaine example.net n'existe pas", domain),
            ("El usuario no existe", address),
            ("il dominio non esiste", domain),
            ("Utente sconosciuto", address),
            ("gebruiker niet gevonden", address),
            ("nie znaleziono użytkownika", address),
            ("all is well", (false, false)),
        ] {
            let missing = missing(&plain(words));
            assert_eq!((missing.address, missing.domain), expected, "{words}");
        }
    }
}
