mod email_address;

pub use email_address::{AddressRefused, EmailAddress};
