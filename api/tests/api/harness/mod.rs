//! A served API with a database of its own, and a client for it.

mod client;
pub(crate) mod issuer;
pub(crate) mod redis;
pub(crate) mod worker;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use api::{ApiConfig, ApiState, KeyPace, Patience, Process};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use shared::{
    config::{FunctionSettings, PayloadLimits, Plans, Registration, Retention, Secret},
    domain::{Plan, Reach},
    metrics::Metrics,
    queue::Signals,
    seal::SecretKeys,
    store::Db,
};
use test_support::TestDatabase;
use tokio::{net::TcpListener, sync::oneshot};

use crate::document::{assert_documented, operation};
pub(crate) use client::{Reply, send};

/// Signs the tokens of every test server.
pub(crate) const SECRET: &str = "a secret of at least thirty-two bytes";

/// A handler that the API takes; nobody builds it here.
pub(crate) const CODE: &str = "package main\n";

/// What every API here tells about itself.
pub(crate) fn process() -> Process {
    Process {
        version: "0.0.0",
        started_at: Instant::now(),
        metrics: Metrics::new("0.0.0"),
        lacking: Vec::new(),
    }
}

/// One served API. Ends with its value.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) state: ApiState,
    pub(crate) database: Arc<TestDatabase>,
    config: ApiConfig,
    stop: Option<oneshot::Sender<()>>,
    server: tokio::task::JoinHandle<()>,
}

impl App {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut ApiConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        let database = TestDatabase::create().await;
        Self::serve(config, database.url().to_owned(), Arc::new(database)).await
    }

    /// One that reaches its database, which is migrated already, by another URL.
    pub(crate) async fn over(url: String, database: TestDatabase) -> Self {
        Self::serve(config(), url, Arc::new(database)).await
    }

    /// Another process over the same database, configured alike.
    pub(crate) async fn another(&self) -> Self {
        Self::serve(self.config.clone(), self.database.url().to_owned(), self.database.clone())
            .await
    }

    async fn serve(config: ApiConfig, url: String, database: Arc<TestDatabase>) -> Self {
        let db = Db::connect(&url, 10).await.unwrap();
        let signals = Signals::connect(&url).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = ApiState::new(db.clone(), signals.clone(), config.clone(), process());
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let server = tokio::spawn(api::serve(state.clone(), listener, stopped));
        Self { address, db, signals, state, config, database, stop: Some(stop), server }
    }

    /// The keys that seal secrets.
    pub(crate) fn secret_keys(&self) -> Option<&SecretKeys> {
        self.config.secret_keys.as_ref()
    }

    /// Tells the server to stop.
    pub(crate) fn tell_to_stop(&mut self) {
        self.stop.take().expect("told once").send(()).unwrap();
    }

    /// Returns when the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        (&mut self.server).await.unwrap();
    }

    /// Sends a request with a JSON body, as somebody.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let mut request = hyper::Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(body).unwrap();
        let operation = operation(request.method(), request.uri().path());
        let reply = send(self.address, request).await;
        assert_documented(operation, &reply);
        reply
    }

    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Reply {
        self.call(Method::POST, path, token, Some(&body)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        self.call(Method::GET, path, Some(token), None).await
    }

    /// Somebody with an account of their own.
    pub(crate) async fn register(&self, email: &str) -> Person {
        let account = json!({ "email": email, "password": "correct horse" });
        let registered = self.post("/api/v1/auth/register", None, account).await;
        assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
        self.log_in(email).await
    }

    /// Somebody who has an account.
    pub(crate) async fn log_in(&self, email: &str) -> Person {
        let login = json!({ "email": email, "password": "correct horse" });
        let tokens = self.post("/api/v1/auth/login", None, login).await.data();
        Person {
            token: text(&tokens["access_token"]),
            refresh_token: text(&tokens["refresh_token"]),
        }
    }

    /// Somebody with a project.
    pub(crate) async fn owner(&self) -> Owner {
        let person = self.register("owner@example.com").await;
        let project_id = self.project(&person.token, "shop").await;
        Owner { token: person.token, project_id }
    }

    pub(crate) async fn project(&self, token: &str, name: &str) -> String {
        let reply = self.post("/api/v1/projects", Some(token), json!({ "name": name })).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        text(&reply.data()["project_id"])
    }

    /// Somebody who was invited into the project with this role, and logged in.
    pub(crate) async fn guest(&self, owner: &Owner, role: &str) -> Person {
        let email = format!("{role}@guests.example.com");
        let invitation = self.invite(owner, &email, role).await;
        let account = json!({
            "email": email, "password": "correct horse", "invitation": invitation,
        });
        let registered = self.post("/api/v1/auth/register", None, account).await;
        assert_eq!(registered.status, StatusCode::CREATED, "{registered:?}");
        self.log_in(&email).await
    }

    /// The token of an invitation into the project.
    pub(crate) async fn invite(&self, owner: &Owner, email: &str, role: &str) -> String {
        let path = format!("/api/v1/projects/{}/invitations", owner.project_id);
        let invitation = json!({ "email": email, "role": role });
        let reply = self.post(&path, Some(&owner.token), invitation).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        text(&reply.data()["token"])
    }

    /// A function that was created and not built yet.
    pub(crate) async fn function(&self, owner: &Owner, name: &str) -> String {
        let reply = self.post(FUNCTIONS, Some(&owner.token), owner.new_function(name)).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        text(&reply.data()["function_id"])
    }

    /// A function that can be called.
    pub(crate) async fn active_function(&self, owner: &Owner, name: &str) -> String {
        let id = self.function(owner, name).await;
        worker::build_everything(self).await;
        id
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) const FUNCTIONS: &str = "/api/v1/functions";

/// Somebody with an account.
pub(crate) struct Person {
    pub(crate) token: String,
    pub(crate) refresh_token: String,
}

/// Somebody with a project.
pub(crate) struct Owner {
    pub(crate) token: String,
    pub(crate) project_id: String,
}

impl Owner {
    /// The request that creates a function, as the contract shows it.
    pub(crate) fn new_function(&self, name: &str) -> Value {
        json!({
            "project_id": self.project_id,
            "name": name,
            "description": "Sends one e-mail",
            "runtime": "go1.21",
            "code": CODE,
            "trigger": "http",
            "timeout": 30,
            "memory": 128,
        })
    }
}

/// A string that must be there.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

fn config() -> ApiConfig {
    ApiConfig {
        jwt_secret: Secret::new(SECRET),
        outside_issuer: None,
        key_pace: KeyPace::default(),
        secret_keys: SecretKeys::text_of([7; 32]).expose().parse().ok(),
        default_plan: Plan::Free,
        rate_limits: None,
        redis_url: None,
        max_requests: 1000,
        max_body_bytes: 256 << 20,
        patience: Patience::default(),
        refresh_grace: Duration::ZERO,
        registration: Registration::Open,
        functions: FunctionSettings {
            temp_dir: None,
            default_timeout_seconds: 30,
            max_timeout_seconds: 300,
            default_memory_mib: 128,
            max_memory_mib: 512,
            max_concurrent: 100,
            plans: Plans::default(),
            egress: None,
            kept_versions: 10,
            payloads: PayloadLimits::default(),
        },
        callback_reach: Reach::default(),
        trusted_proxies: Vec::new(),
        shutdown_grace: Duration::from_secs(1),
        shutdown_delay: Duration::ZERO,
        retention: Retention::default(),
    }
}
