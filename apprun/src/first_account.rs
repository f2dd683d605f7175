//! What somebody who has just started a server needs to get in, where not everybody may register.

/// To standard error, whatever the filter of the log: without this nobody can use the server. `url` is
/// that of the server.
pub(crate) fn tell(setup_token: &str, url: &str) {
    eprintln!("{}", invitation(setup_token, url));
}

fn invitation(setup_token: &str, url: &str) -> String {
    format!(
        r#"
Nobody has an account here yet. This makes the first one; the token is good once:

  apprun login --register --setup-token {setup_token} --email me@example.com --server {url}

or, without apprun:

  curl {url}/api/v1/auth/register -H 'content-type: application/json' -d '{{"email":"me@example.com","password":"…","setup_token":"{setup_token}"}}'
"#
    )
}
