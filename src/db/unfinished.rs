//! The result of background work of which a part failed.

use super::DbErr;

/// Why a tick has left something undone. The next tick tries again.
#[derive(Debug, thiserror::Error)]
pub enum Unfinished {
    /// Some of the polls or issues failed. Each was logged on its own with its number, so the caller logs nothing.
    #[error("some of it failed; the log shows what")]
    Logged,
    /// The whole failed, and nothing was logged.
    #[error(transparent)]
    Db(#[from] DbErr),
}

impl Unfinished {
    /// The results of two pieces of work that do not wait for each other. If both failed, the error that nobody has
    /// logged yet.
    ///
    /// # Errors
    /// At least one of them failed.
    pub fn both<A, B>(first: Result<A, Self>, second: Result<B, Self>) -> Result<(A, B), Self> {
        match (first, second) {
            (Ok(first), Ok(second)) => Ok((first, second)),
            (Err(error @ Self::Db(_)), _) | (_, Err(error @ Self::Db(_))) => Err(error),
            _ => Err(Self::Logged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_has_logged_is_never_hidden_by_what_somebody_has() {
        let unlogged = || Err::<(), Unfinished>(DbErr::Custom("the disk is full".into()).into());
        let logged = || Err::<(), Unfinished>(Unfinished::Logged);
        for (first, second) in [
            (logged(), unlogged()),
            (unlogged(), logged()),
            (unlogged(), Ok(())),
            (Ok(()), unlogged()),
        ] {
            let done = Unfinished::both(first, second);
            assert!(matches!(done, Err(Unfinished::Db(_))), "{done:?}");
        }
        for (first, second) in [(logged(), logged()), (logged(), Ok(())), (Ok(()), logged())] {
            let done = Unfinished::both(first, second);
            assert!(matches!(done, Err(Unfinished::Logged)), "{done:?}");
        }
        assert_eq!(Unfinished::both(Ok(1), Ok(2)).ok(), Some((1, 2)));
    }
}
