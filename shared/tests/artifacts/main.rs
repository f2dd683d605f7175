//! The artifact store over a real S3 server, which is killed and started again in the middle.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::time::Duration;

use server::{Server, settings};
use shared::{
    artifact::{ArtifactError, ArtifactStore},
    config::ArtifactLocation,
};

fn location(bucket: &str) -> ArtifactLocation {
    ArtifactLocation::S3 { bucket: bucket.to_owned(), prefix: "apprun/v1".to_owned() }
}

async fn open(server: &Server) -> ArtifactStore {
    ArtifactStore::connect(&location("artifacts"), &settings(server.port())).await.unwrap()
}

#[tokio::test]
async fn what_was_put_into_a_bucket_comes_back_verified() {
    let server = Server::start().await;
    let store = open(&server).await;
    let sha256 = store.put(vec![7; 3 << 20]).await.unwrap();
    assert_eq!(store.put(vec![7; 3 << 20]).await.unwrap(), sha256);
    assert_eq!(store.get(sha256).await.unwrap(), vec![7; 3 << 20]);
    assert!(matches!(store.get([1; 32]).await, Err(ArtifactError::Missing { .. })));

    let name = hex::encode(sha256);
    let object = server.bucket().join("apprun/v1").join(&name[..2]).join(&name);
    std::fs::write(object, "other bytes").unwrap();
    assert!(matches!(store.get(sha256).await, Err(ArtifactError::Corrupt { .. })));
}

#[tokio::test]
async fn only_old_objects_are_removed() {
    let server = Server::start().await;
    let store = open(&server).await;
    let sha256 = store.put(b"binary".to_vec()).await.unwrap();
    assert!(!store.remove_older(sha256, Duration::from_secs(3600)).await.unwrap());
    assert!(store.get(sha256).await.is_ok());
    assert!(store.remove_older(sha256, Duration::ZERO).await.unwrap());
    assert!(!store.remove_older(sha256, Duration::ZERO).await.unwrap());
    assert!(matches!(store.get(sha256).await, Err(ArtifactError::Missing { .. })));
}

#[tokio::test]
async fn a_server_that_is_killed_and_restarted_costs_a_pause_and_loses_nothing() {
    let mut server = Server::start().await;
    let store = open(&server).await;
    let kept = store.put(b"kept".to_vec()).await.unwrap();
    server.kill().await;
    let (load, save) = (store.clone(), store.clone());
    let load = tokio::spawn(async move { load.get(kept).await });
    let save = tokio::spawn(async move { save.put(vec![9; 8 << 20]).await });
    server.restart().await;
    assert_eq!(load.await.unwrap().unwrap(), b"kept");
    let saved = save.await.unwrap().unwrap();

    assert_eq!(store.get(saved).await.unwrap(), vec![9; 8 << 20]);
}

/// On threads of their own: one sends while the other looks how far it got.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_server_is_killed_in_the_middle_of_it_is_done_again() {
    const OBJECT_BYTES: usize = 8 << 20;
    let mut server = Server::start().await;
    let store = open(&server).await;
    for fill in 0..=u8::MAX {
        let before = server.stored_bytes();
        let sending = store.clone();
        let save = tokio::spawn(async move { sending.put(vec![fill; OBJECT_BYTES]).await });
        while server.stored_bytes() == before {
            tokio::task::yield_now().await;
        }
        server.kill().await;
        let was_in_the_middle = server.stored_bytes() < before + OBJECT_BYTES as u64;
        server.restart().await;
        let saved = save.await.unwrap().unwrap();
        assert!(store.get(saved).await.unwrap() == vec![fill; OBJECT_BYTES]);
        // A fast one may have been over by then.
        if was_in_the_middle {
            return;
        }
    }
    panic!("no upload was caught in its middle");
}

#[tokio::test]
async fn a_store_that_is_wrong_is_refused_at_once() {
    let mut server = Server::start().await;
    let good = settings(server.port());
    let refused = async |settings| {
        ArtifactStore::connect(&location("artifacts"), settings).await.unwrap_err()
    };
    let mut stranger = good.clone();
    stranger.secret_key = Some(shared::config::Secret::new("wrong"));
    assert!(matches!(refused(&stranger).await, ArtifactError::S3 { .. }));
    let mut nobody = good.clone();
    nobody.access_key = None;
    let missing = refused(&nobody).await.to_string();
    assert!(missing.contains("APPRUN_S3_ACCESS_KEY"), "{missing}");
    server.kill().await;
    let away = refused(&good).await;
    assert!(away.to_string().starts_with("failed to access s3://artifacts/apprun/v1/"), "{away}");
}
