//! Which token a request carries: the one of `APPRUN_TOKEN`, or that of the login to this server.
//!
//! A refresh token is good once. Commands that run at the same time therefore renew under the lock of
//! the file: the first one asks the server, the others find its tokens there.

use std::{
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

use super::{Address, Api, Body, Credentials, Login, SavedProject};
use crate::failure::Failure;

/// A token that ends sooner is renewed first, so that it does not end on its way.
const SPARE: Duration = Duration::from_secs(30);

/// What a login and a refresh answer.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    /// Seconds.
    expires_in: u64,
}

impl Tokens {
    /// When the access token ends, in seconds since 1970.
    pub(crate) fn expires_at(&self) -> u64 {
        now() + self.expires_in
    }
}

/// Who is asking, at one server.
pub(crate) struct Session {
    address: Address,
    store: Credentials,
    identity: Identity,
}

enum Identity {
    /// From `APPRUN_TOKEN`.
    Given(String),
    /// From the file; renewed in place.
    Login(Mutex<Login>),
    Nobody,
}

#[derive(Serialize)]
struct Refresh<'a> {
    refresh_token: &'a str,
}

impl Session {
    /// A token that was given outweighs a login, and never touches the file.
    pub(crate) fn new(
        address: Address,
        store: Credentials,
        token: Option<String>,
    ) -> Result<Self, Failure> {
        let identity = match token {
            Some(token) => Identity::Given(token),
            None => match store.read()?.logins.remove(address.as_str()) {
                Some(login) => Identity::Login(Mutex::new(login)),
                None => Identity::Nobody,
            },
        };
        Ok(Self { address, store, identity })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The login of this server, if that is who is asking.
    pub(crate) fn login(&self) -> Option<Login> {
        match &self.identity {
            Identity::Login(login) => Some(held(login).clone()),
            Identity::Given(_) | Identity::Nobody => None,
        }
    }

    pub(super) fn can_renew(&self) -> bool {
        matches!(self.identity, Identity::Login(_))
    }

    /// A token that is good for the next request.
    pub(super) async fn token(&self, api: &Api) -> Result<String, Failure> {
        let login = match &self.identity {
            Identity::Given(token) => return Ok(token.clone()),
            Identity::Nobody => return Err(self.not_logged_in()),
            Identity::Login(login) => held(login).clone(),
        };
        if login.expires_at > now() + SPARE.as_secs() {
            return Ok(login.access_token);
        }
        self.renew(api, &login.access_token).await
    }

    /// A token other than `used`, which is no longer good: from the file, if another command renewed
    /// it meanwhile, else from the server.
    pub(super) async fn renew(&self, api: &Api, used: &str) -> Result<String, Failure> {
        let Identity::Login(own) = &self.identity else { return Err(self.not_logged_in()) };
        let mut changing = self.store.change()?;
        let found = changing.contents.logins.get_mut(self.address.as_str());
        let saved = found.ok_or_else(|| self.not_logged_in())?;
        if saved.access_token == used {
            let refresh = Refresh { refresh_token: &saved.refresh_token };
            let answer = api.post_openly("/auth/refresh", &Body::json(&refresh)).await?;
            let tokens: Tokens = answer.data()?;
            saved.expires_at = tokens.expires_at();
            saved.access_token = tokens.access_token;
            saved.refresh_token = tokens.refresh_token;
        }
        *held(own) = saved.clone();
        changing.save()?;
        Ok(held(own).access_token.clone())
    }

    /// What is remembered of this server, whoever is asking now.
    pub(crate) fn remembered(&self) -> Result<Option<Login>, Failure> {
        Ok(self.store.read()?.logins.remove(self.address.as_str()))
    }

    /// Remembers a login to this server, makes the server the current one, and asks as this login from
    /// now on.
    pub(crate) fn remember(&self, login: Login) -> Result<(), Failure> {
        let mut changing = self.store.change()?;
        if let Identity::Login(own) = &self.identity {
            *held(own) = login.clone();
        }
        changing.contents.current = Some(self.address.to_string());
        changing.contents.logins.insert(self.address.to_string(), login);
        changing.save()
    }

    /// Forgets the login to this server.
    pub(crate) fn forget(&self) -> Result<(), Failure> {
        let mut changing = self.store.change()?;
        changing.contents.logins.remove(self.address.as_str());
        changing.save()
    }

    /// Remembers which project commands are about.
    pub(crate) fn choose(&self, project: SavedProject) -> Result<(), Failure> {
        let mut changing = self.store.change()?;
        let found = changing.contents.logins.get_mut(self.address.as_str());
        found.ok_or_else(|| self.not_logged_in())?.project = Some(project);
        changing.save()
    }

    fn not_logged_in(&self) -> Failure {
        Failure::NotLoggedIn { server: self.address.to_string() }
    }
}

/// Nothing that holds the lock can panic; if it did, the login would still be whole.
fn held(login: &Mutex<Login>) -> std::sync::MutexGuard<'_, Login> {
    login.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
