//! Accounts and logins. Access tokens are checked without the database; refresh tokens are rotated
//! in it.

mod caller;
mod login;
mod logout;
mod me;
mod outside;
mod password;
mod refresh;
mod register;
mod switch;
pub(crate) mod ticket;
mod token;
mod views;

use poem_openapi::OpenApi;

use crate::{
    ApiState,
    answer::{Created, Okay},
    body::Json,
    problem::Problem,
    routes::Chapter,
};

pub(crate) use caller::{Caller, Origin};
pub(crate) use outside::Outside;
pub(crate) use password::Hasher;
pub use token::Tokens;

use views::{LoggedOut, Login, Me, NewAccount, RefreshToken, Registered, Switch, TokenPair};

/// The routes of this chapter.
pub(crate) struct Auth;

#[OpenApi(prefix_path = "/api/v1/auth", tag = "Chapter::Auth")]
impl Auth {
    /// Create an account
    ///
    /// Gives a user and a tenant of their own, with the user as its owner; with an invitation, a
    /// role in its project instead. Whether this works without one is up to the server's operator.
    #[oai(path = "/register", method = "post", operation_id = "register")]
    async fn register(
        &self,
        state: ApiState,
        origin: Origin,
        body: Json<NewAccount>,
    ) -> Result<Created<Registered>, Problem> {
        register::register(&state, &origin, body.0).await
    }

    /// Log in
    ///
    /// The access token is good for 15 minutes, the refresh token for 7 days.
    #[oai(path = "/login", method = "post", operation_id = "login")]
    async fn login(
        &self,
        state: ApiState,
        origin: Origin,
        body: Json<Login>,
    ) -> Result<Okay<TokenPair>, Problem> {
        login::login(&state, &origin, body.0).await
    }

    /// Get new tokens
    ///
    /// Every refresh token is good once; requests with the same one that are under way at the same time
    /// get the same successor. The return of an old one ends the session: somebody has a copy.
    #[oai(path = "/refresh", method = "post", operation_id = "refresh")]
    async fn refresh(
        &self,
        state: ApiState,
        origin: Origin,
        body: Json<RefreshToken>,
    ) -> Result<Okay<TokenPair>, Problem> {
        refresh::refresh(&state, &origin, body.0).await
    }

    /// Log out
    ///
    /// Ends the session that the access token belongs to: its refresh tokens are worthless from now
    /// on. The access token itself ends with its 15 minutes.
    #[oai(path = "/logout", method = "post", operation_id = "logout")]
    async fn logout(&self, state: ApiState, caller: Caller) -> Result<Okay<LoggedOut>, Problem> {
        logout::logout(&state, &caller).await
    }

    /// Act in another tenant
    ///
    /// Opens a session in another of your tenants; the one you have goes on. With a token of the
    /// outside issuer, opens one in any of them.
    #[oai(path = "/switch", method = "post", operation_id = "switchTenant")]
    async fn switch(
        &self,
        state: ApiState,
        caller: Caller,
        body: Json<Switch>,
    ) -> Result<Okay<TokenPair>, Problem> {
        switch::switch(&state, &caller, body.0).await
    }

    /// Who am I
    #[oai(path = "/me", method = "get", operation_id = "me")]
    async fn me(&self, state: ApiState, caller: Caller) -> Result<Okay<Me>, Problem> {
        me::me(&state, &caller).await
    }
}
