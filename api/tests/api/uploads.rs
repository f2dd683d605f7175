//! The four ways to send a source, and what is refused before anything is queued.

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use shared::domain::SourceBundle;

use crate::{
    harness::{App, FUNCTIONS, Owner, Reply, send, text},
    zip::{Entry, archive, file},
};

const BOUNDARY: &str = "a-boundary";
const MIB: usize = 1 << 20;

fn without_source(owner: &Owner, name: &str) -> Value {
    let mut function = owner.new_function(name);
    function.as_object_mut().unwrap().remove("code");
    function
}

fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"x\"\r\n\r\n"
        );
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    body
}

async fn post_form(app: &App, owner: &Owner, body: Vec<u8>) -> Reply {
    let request = hyper::Request::post(FUNCTIONS)
        .header("authorization", format!("Bearer {}", owner.token))
        .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
        .body(body);
    send(app.address, request.unwrap()).await
}

async fn post_archive(app: &App, owner: &Owner, archive: &[u8]) -> Reply {
    let fields = without_source(owner, "hello").to_string();
    post_form(app, owner, form(&[("function", fields.as_bytes()), ("source", archive)])).await
}

/// What was stored for the one function there is.
async fn stored(app: &App) -> Vec<(String, Vec<u8>)> {
    let pool = sqlx::PgPool::connect(app.database.url()).await.unwrap();
    let bundle: Vec<u8> =
        sqlx::query_scalar("select bundle from function_source").fetch_one(&pool).await.unwrap();
    pool.close().await;
    let bundle: SourceBundle = serde_json::from_slice(&bundle).unwrap();
    bundle.files().map(|(path, content)| (path.to_owned(), content.to_vec())).collect()
}

async fn jobs(app: &App) -> i64 {
    let pool = sqlx::PgPool::connect(app.database.url()).await.unwrap();
    let jobs = sqlx::query_scalar("select count(*) from q.job").fetch_one(&pool).await.unwrap();
    pool.close().await;
    jobs
}

#[tokio::test]
async fn each_way_to_send_a_source_stores_the_same_files() {
    let code = "package main\n";
    let expected = [("handler.go".to_owned(), code.as_bytes().to_vec())];
    for source in [
        json!({ "code": code }),
        json!({ "code_base64": BASE64.encode(code) }),
        json!({ "files": { "handler.go": code } }),
        json!({ "files": { "handler.go": code }, "code": null }),
    ] {
        let app = App::start().await;
        let owner = app.owner().await;
        let mut function = without_source(&owner, "hello");
        function.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        let created = app.post(FUNCTIONS, Some(&owner.token), function).await;
        assert_eq!(created.status, 201, "{source}: {created:?}");
        assert_eq!(stored(&app).await, expected, "{source}");
    }
}

#[tokio::test]
async fn an_archive_is_unpacked_folders_and_all() {
    let app = App::start().await;
    let owner = app.owner().await;
    let folder = Entry { mode: 0o040_755, method: 0, ..file("vendor/", "") };
    let stored_plainly = Entry { method: 0, ..file("go.mod", "module a") };
    let from_windows = Entry { mode: 0, ..file("vendor/b.go", "package b") };
    let from_mac = [file("__MACOSX/._a.go", "junk"), file("vendor/._b.go", "junk")];
    let sent = [folder, file("a.go", "package a"), stored_plainly, from_windows];
    let sent: Vec<_> = sent.into_iter().chain(from_mac).collect();
    let created = post_archive(&app, &owner, &archive(&sent, None)).await;
    assert_eq!(created.status, 201, "{created:?}");
    let expected = [("a.go", "package a"), ("go.mod", "module a"), ("vendor/b.go", "package b")];
    let expected = expected.map(|(path, content)| (path.to_owned(), content.into()));
    assert_eq!(stored(&app).await, expected);
}

/// An archive somebody could hope to get past the door, and what the answer must say.
fn hostile_archives() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let of = |entries: &[Entry]| archive(entries, None);
    let named = |name: &[u8]| of(&[file("ok.go", "x"), file(name, "x")]);
    let of_kind = |mode| of(&[Entry { mode, ..file("x", "/etc/shadow") }]);
    let link = Entry { mode: 0o120_777, ..file("etc", "/etc") };
    let lie =
        |declared_bytes| Entry { declared_bytes: Some(declared_bytes), ..file("x", "123456") };
    let many = |count: u32| (0..count).map(|n| file(format!("f{n}"), "")).collect::<Vec<_>>();
    let zeros = vec![0; 4 * MIB];
    let shared = Entry { shares_bytes: true, ..file("x", "twice") };
    let whole = of(&[file("a.go", "package a")]);
    vec![
        ("parent", named(b"../x"), "leaves the source through '..'"),
        ("inner parent", named(b"a/../../x"), "leaves the source through '..'"),
        (
            "parent folder",
            of(&[Entry { mode: 0, ..file("../", "") }]),
            "leaves the source through '..'",
        ),
        ("absolute", named(b"/etc/passwd"), "is absolute"),
        ("backslash", named(b"..\\x"), "holds a backslash"),
        ("nul", named(b"a\0.go"), "control character"),
        ("no name", named(b""), "is empty"),
        ("not utf-8", named(b"\xff\xfe"), "has a name not in UTF-8"),
        ("long name", named(&[b'a'; 10_000]), "is longer than 255 bytes"),
        ("symbolic link", of_kind(0o120_777), "is a symbolic link"),
        ("file through a link", of(&[link, file("etc/passwd", "x")]), "is a symbolic link"),
        ("character device", of_kind(0o020_666), "is a device"),
        ("block device", of_kind(0o060_666), "is a device"),
        ("named pipe", of_kind(0o010_666), "is a named pipe"),
        ("socket", of_kind(0o140_666), "is a socket"),
        ("unknown kind", of_kind(0o150_666), "is neither a file nor a folder"),
        ("folder as file", of_kind(0o040_755), "is neither a file nor a folder"),
        ("file as folder", of(&[file("a/", "x")]), "is neither a file nor a folder"),
        ("folder with content", of(&[Entry { mode: 0, ..file("a/", "x") }]), "is a folder with"),
        ("duplicates", of(&[file("a.go", "1"), file("a.go", "2")]), "clash"),
        ("case clash", of(&[file("a.go", "1"), file("A.go", "2")]), "clash"),
        ("file and folder", of(&[file("a", "1"), file("a/b", "2")]), "clash"),
        (
            "two names",
            of(&[Entry { local_name: Some(b"y".into()), ..file("x", "") }]),
            "another name",
        ),
        ("encrypted", of(&[Entry { flags: 1, ..file("x", "x") }]), "is encrypted"),
        ("other method", of(&[Entry { method: 12, ..file("x", "x") }]), "method we do not read"),
        ("declares too little", of(&[lie(3)]), "another size or checksum"),
        ("declares too much", of(&[lie(1000)]), "another size or checksum"),
        ("shared bytes", of(&[file("x", "twice"), shared]), "shares its bytes"),
        ("bomb", of(&[file("x", zeros)]), "more than 100 to 1"),
        ("too many files", of(&many(1001)), "holds 1001 files; at most 1000 are allowed"),
        ("too many entries", of(&many(5000)), "has 5000 entries; at most 4000 are allowed"),
        ("claims no entries", archive(&[file("x", "")], Some(0)), "not a zip archive"),
        ("claims many entries", archive(&[file("x", "")], Some(9)), "not a zip archive"),
        ("no files", of(&[]), "holds no file"),
        ("empty", Vec::new(), "not a zip archive"),
        ("text", b"package main".to_vec(), "not a zip archive"),
        ("cut off", whole[..whole.len() - 10].to_vec(), "not a zip archive"),
    ]
}

#[tokio::test]
async fn hostile_archives_are_refused_before_anything_is_queued() {
    let app = App::start().await;
    let owner = app.owner().await;
    for (attack, archive, says) in hostile_archives() {
        let reply = post_archive(&app, &owner, &archive).await;
        assert_eq!(reply.wrong_fields(), ["source"], "{attack}");
        let message = text(&reply.error()["message"]);
        assert!(message.contains(says) && message.len() < 400, "{attack}: {message}");
    }
    assert_eq!(jobs(&app).await, 0);
    let listed = app.get(FUNCTIONS, &owner.token).await.data();
    assert_eq!(listed["items"], json!([]));
}

#[tokio::test]
async fn every_source_over_its_size_is_413_with_field_limit_and_value() {
    let app = App::start().await;
    let owner = app.owner().await;
    let large = "x".repeat(MIB + 1);
    for (field, value) in [
        ("code", json!(large)),
        ("code_base64", json!(BASE64.encode(&large))),
        ("files", json!({ "a.go": "x", "b.go": &large[1..] })),
    ] {
        let mut function = without_source(&owner, "hello");
        function[field] = value;
        let reply = app.post(FUNCTIONS, Some(&owner.token), function).await;
        let error = reply.assert_error(413, "PAYLOAD_TOO_LARGE");
        let details = json!({ "field": field, "bytes": MIB + 1, "limit_bytes": MIB });
        assert_eq!(error["details"], details);
    }
    let declared = Entry { declared_bytes: Some(u32::MAX), ..file("x", "x") };
    let unpacked = post_archive(&app, &owner, &archive(&[declared], None)).await;
    let error = unpacked.assert_error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(error["details"]["limit_bytes"], 50 * MIB);
    let packed = post_archive(&app, &owner, &vec![0; 10 * MIB + 1]).await;
    let error = packed.assert_error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(error["details"]["field"], "source");
    assert_eq!(error["details"]["limit_bytes"], 10 * MIB);
    let body = post_archive(&app, &owner, &vec![0; 20 * MIB]).await;
    body.assert_error(413, "PAYLOAD_TOO_LARGE");
    assert_eq!(jobs(&app).await, 0);
}

#[tokio::test]
async fn a_source_may_be_sent_with_every_letter_escaped() {
    let app = App::start().await;
    let owner = app.owner().await;
    let mut function = without_source(&owner, "hello");
    function["code"] = json!("CODE");
    let letters = r"\u0078".repeat(MIB - "package main\n//".len());
    let body = function.to_string().replace("CODE", &format!(r"package main\n//{letters}"));
    let request = hyper::Request::post(FUNCTIONS)
        .header("authorization", format!("Bearer {}", owner.token))
        .header("content-type", "application/json")
        .body(body);
    let reply = send(app.address, request.unwrap()).await;
    assert_eq!(reply.status, 201, "{reply:?}");
}

#[tokio::test]
async fn a_wrong_source_or_form_is_told_what_is_wrong() {
    let app = App::start().await;
    let owner = app.owner().await;
    let files = |value: Value| json!({ "files": value });
    for (source, field, says) in [
        (json!({}), "code", "is required"),
        (json!({ "code": "x", "files": { "a": "" } }), "files", "second source beside 'code'"),
        (json!({ "code_base64": "x" }), "code_base64", "is not standard base64"),
        (json!({ "code_base64": "" }), "code_base64", "must not be empty"),
        (files(json!({})), "files", "holds no file"),
        (files(json!({ "../x": "" })), "files", "leaves the source"),
        (files(json!({ "a": "", "A": "" })), "files", "clash"),
        (files(json!({ "a": 7 })), "files", "must be an object of texts by path"),
        (files(json!("a")), "files", "must be an object of texts by path"),
    ] {
        let mut function = without_source(&owner, "hello");
        function.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        let reply = app.post(FUNCTIONS, Some(&owner.token), function).await;
        assert_eq!(reply.wrong_fields(), [field], "{source}");
        assert!(text(&reply.error()["message"]).contains(says), "{source}: {}", reply.body);
    }
    let fields = without_source(&owner, "hello").to_string();
    let (function, source) = (("function", fields.as_bytes()), ("source", b"x".as_slice()));
    for (parts, field, says) in [
        (vec![function], "source", "is required: the form has no such part"),
        (vec![source], "function", "is required: the form has no such part"),
        (vec![function, source, source], "source", "was sent twice"),
        (vec![function, ("file", b"x")], "file", "known are: function, source"),
    ] {
        let reply = post_form(&app, &owner, form(&parts)).await;
        assert_eq!(reply.wrong_fields(), [field]);
        assert!(text(&reply.error()["message"]).contains(says), "{}", reply.body);
    }
    let both = owner.new_function("hello").to_string();
    let zip = archive(&[file("a.go", "x")], None);
    let reply = post_form(&app, &owner, form(&[("function", both.as_bytes()), ("source", &zip)]));
    assert_eq!(reply.await.wrong_fields(), ["source"]);
    let cut = post_form(&app, &owner, form(&[function])[..80].to_vec()).await;
    cut.assert_error(400, "VALIDATION_FAILED");
}
