//! The table of roles against the running API: every operation of the document with every role.

use std::{collections::BTreeMap, time::Duration};

use api::Needs;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use shared::domain::Role;

use crate::{
    document::{document, endpoints},
    harness::{App, FUNCTIONS, Owner, text, worker},
};

/// Longer than any answer takes that is going to be a refusal; a call that waits has been let in.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a role in the tenant counts, instead of one in a project.
const OVER_THE_TENANT: [&str; 4] =
    ["/api/v1/audit", "/api/v1/projects", "/api/v1/queue", "/api/v1/workers"];

fn table() -> BTreeMap<&'static str, Needs> {
    let rows = api::permissions();
    let table: BTreeMap<_, _> = rows.iter().copied().collect();
    assert_eq!(table.len(), rows.len(), "an operation stands in the table twice");
    table
}

#[test]
fn every_operation_stands_in_the_table_and_the_table_knows_no_others() {
    let document = document();
    let mut table = table();
    for (method, path, endpoint) in endpoints(&document) {
        let operation = text(&endpoint["operationId"]);
        let needs = table.remove(operation.as_str());
        let needs = needs.unwrap_or_else(|| panic!("{operation} is not in api/src/permission.rs"));
        println!("{:<48} {operation:<24} {needs:?}", format!("{} {path}", method.to_uppercase()));
        assert_eq!(endpoint["security"].is_null(), needs == Needs::Nothing, "{operation}");
    }
    assert!(table.is_empty(), "these are not in the document: {table:?}");
}

/// Something of everything that an id in a path can name.
struct World {
    ids: BTreeMap<&'static str, String>,
    tokens: BTreeMap<&'static str, String>,
    owner: Owner,
}

async fn world(app: &App) -> World {
    let owner = app.owner().await;
    let function = app.active_function(&owner, "hello").await;
    let details = app.get(&format!("{FUNCTIONS}/{function}"), &owner.token).await.data();
    let call = format!("{FUNCTIONS}/{function}/invoke-async");
    let call = app.post(&call, Some(&owner.token), json!({ "input": 1 })).await.data();
    worker::run_everything(app, &worker::completed("1")).await;
    let project = format!("/api/v1/projects/{}", owner.project_id);
    let token = json!({ "name": "CI", "role": "viewer" });
    let token = app.post(&format!("{project}/tokens"), Some(&owner.token), token).await.data();
    app.invite(&owner, "later@example.com", "viewer").await;
    let invitations = app.get(&format!("{project}/invitations"), &owner.token).await.data();
    let mut tokens = BTreeMap::new();
    for role in Role::ALL {
        tokens.insert(role.as_str(), app.guest(&owner, role.as_str()).await.token);
    }
    let somebody = app.get("/api/v1/auth/me", &tokens["viewer"]).await.data();
    let ids = BTreeMap::from([
        ("{project_id}", owner.project_id.clone()),
        ("{function_id}", function),
        ("{version}", "1".to_owned()),
        ("{build_id}", text(&details["build"]["build_id"])),
        ("{execution_id}", text(&call["execution_id"])),
        ("{token_id}", text(&token["token_id"])),
        ("{invitation_id}", text(&invitations["items"][0]["invitation_id"])),
        ("{user_id}", text(&somebody["user_id"])),
    ]);
    World { ids, tokens, owner }
}

impl World {
    fn path(&self, template: &str) -> String {
        // Any id can be looked up.
        let template = template.replace("/lookup/{id}", "/lookup/{execution_id}");
        let path = self.ids.iter().fold(template, |path, (name, id)| path.replace(name, id));
        assert!(!path.contains('{'), "teach this test what stands for the parameter in {path}");
        path
    }

    /// The request's example, about this project.
    fn body(&self, document: &Value, endpoint: &Value) -> Option<Value> {
        let schema = &endpoint["requestBody"]["content"]["application/json"]["schema"];
        let schema = match schema["$ref"].as_str() {
            Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
            None => schema,
        };
        let mut body = schema.get("example")?.clone();
        if body.get("project_id").is_some() {
            body["project_id"] = json!(self.owner.project_id);
        }
        Some(body)
    }
}

#[tokio::test]
async fn every_operation_refuses_lesser_roles_and_lets_the_others_in() {
    let app = App::start().await;
    let world = world(&app).await;
    let (table, document) = (table(), document());
    let guarded: Vec<_> = endpoints(&document)
        .into_iter()
        .filter_map(|(method, path, endpoint)| {
            match table[text(&endpoint["operationId"]).as_str()] {
                // Over the tenant guests have no role; `audit` and `projects` test these two.
                Needs::Role(least) if !OVER_THE_TENANT.contains(&path.as_str()) => {
                    Some((method, path, endpoint, least))
                }
                _ => None,
            }
        })
        .collect();
    // First all refusals, which change nothing; then the rest, which may leave nothing behind.
    for refused in [true, false] {
        for (method, path, endpoint, least) in &guarded {
            for role in Role::ALL.iter().filter(|role| role.covers(*least) != refused) {
                let name = format!("{method} {path} as {role}");
                let method: Method = method.to_uppercase().parse().unwrap();
                let (path, body) = (world.path(path), world.body(&document, endpoint));
                let token = Some(world.tokens[role.as_str()].as_str());
                let call = app.call(method, &path, token, body.as_ref());
                let Ok(reply) = tokio::time::timeout(PATIENCE, call).await else {
                    assert!(!refused, "{name} waits instead of refusing");
                    continue;
                };
                let is_refusal = reply.status == StatusCode::FORBIDDEN
                    && reply.error()["details"]["needs"].is_string();
                assert_eq!(is_refusal, refused, "{name}: {reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn no_operation_shows_or_changes_anything_of_another_tenant() {
    let app = App::start().await;
    let world = world(&app).await;
    let stranger = app.register("stranger@example.com").await;
    let document = document();
    let mut asked = 0;
    for (method, path, endpoint) in endpoints(&document) {
        let body = world.body(&document, &endpoint);
        let names_a_project = |body: &Value| body.get("project_id").is_some();
        if endpoint["security"].is_null()
            || !(path.contains('{') || body.as_ref().is_some_and(names_a_project))
        {
            continue;
        }
        let name = format!("{method} {path}");
        let method: Method = method.to_uppercase().parse().unwrap();
        let (path, token) = (world.path(&path), Some(stranger.token.as_str()));
        let reply = app.call(method, &path, token, body.as_ref()).await;
        assert_eq!(reply.status, StatusCode::NOT_FOUND, "{name}: {reply:?}");
        asked += 1;
    }
    assert!(asked > 20, "the walk must find them, and asked {asked}");
}
