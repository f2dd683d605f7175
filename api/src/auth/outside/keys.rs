//! The issuer's keys, as last seen. They are fetched again when they are old and when a token names
//! one that is not among them, yet never more often than the floor allows, whatever is sent here.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use tokio::sync::Mutex;

use super::{fetch::try_fetch, jwk::Key};
use crate::{config::KeyPace, problem::Problem};

/// The keys of one issuer.
pub(super) struct Keys {
    url: String,
    pace: KeyPace,
    known: RwLock<Option<Known>>,
    /// When they were asked for last. Whoever holds it asks; others wait for what comes of it.
    asked_at: Mutex<Option<Instant>>,
}

struct Known {
    keys: Vec<Arc<Key>>,
    fetched_at: Instant,
}

/// What is known of a key that a token names.
enum Look {
    Fresh(Arc<Key>),
    /// Good, and to be asked about again.
    Old(Arc<Key>),
    /// Not among the issuer's keys.
    Unknown,
    /// No keys, or none that can still be relied on.
    NoKeys,
}

impl Keys {
    pub(super) fn new(url: String, pace: KeyPace) -> Self {
        Self { url, pace, known: RwLock::default(), asked_at: Mutex::default() }
    }

    /// The key of this name; without a name the only key there is. None when the issuer has none
    /// such; an error while nobody can say.
    pub(super) async fn find(&self, id: Option<&str>) -> Result<Option<Arc<Key>>, Problem> {
        match self.look(id) {
            Look::Fresh(key) => return Ok(Some(key)),
            // One request asks, the others go on with the key they have.
            Look::Old(_) => {
                if let Ok(mut asked_at) = self.asked_at.try_lock() {
                    self.refresh(&mut asked_at).await;
                }
            }
            Look::Unknown | Look::NoKeys => {
                let mut asked_at = self.asked_at.lock().await;
                // Somebody may have asked while this request waited.
                if matches!(self.look(id), Look::Unknown | Look::NoKeys) {
                    self.refresh(&mut asked_at).await;
                }
            }
        }
        match self.look(id) {
            Look::Fresh(key) | Look::Old(key) => Ok(Some(key)),
            Look::Unknown => Ok(None),
            Look::NoKeys => Err(Problem::overloaded(
                "the keys of the outside issuer cannot be had at this moment; try again",
            )),
        }
    }

    fn look(&self, id: Option<&str>) -> Look {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Known { keys, fetched_at }) = &*known else { return Look::NoKeys };
        let age = fetched_at.elapsed();
        if age > self.pace.good_for {
            return Look::NoKeys;
        }
        let key = match (id, keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_deref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        match key.cloned() {
            Some(key) if age > self.pace.refresh_after => Look::Old(key),
            Some(key) => Look::Fresh(key),
            None => Look::Unknown,
        }
    }

    async fn refresh(&self, asked_at: &mut Option<Instant>) {
        if asked_at.is_some_and(|asked_at| asked_at.elapsed() < self.pace.floor) {
            return;
        }
        *asked_at = Some(Instant::now());
        // When this fails, the last keys go on.
        if let Some(keys) = try_fetch(&self.url).await {
            let keys = keys.into_iter().map(Arc::new).collect();
            let known = Known { keys, fetched_at: Instant::now() };
            *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keys({})", self.url)
    }
}
