//! What the server gives to bare statements: upper bounds for anything that commits per job.

use std::{io::Write, process::Command};

use crate::{RUN, row};

const SETUP: &str = "create table bound (id bigserial primary key, tenant uuid, payload text, state int default 0);
     insert into bound (tenant, payload) select gen_random_uuid(), repeat('x', 200) from generate_series(1, 400000);
     create index on bound (id) where state = 0";
const INSERT: &str =
    "insert into bound (tenant, payload, state) values (gen_random_uuid(), repeat('x', 200), 2);";
const CLAIM: &str = "update bound set state = 1 where id = (select id from bound where state = 0 order by id limit 1 for update skip locked);";

pub(crate) async fn print(url: &str) {
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::raw_sql(SETUP).execute(&pool).await.unwrap();
    for (what, script, clients) in [
        ("pgbench: insert of one row, 1 client", INSERT, 1),
        ("pgbench: insert of one row, 64 clients", INSERT, 64),
        ("pgbench: claim of one row with SKIP LOCKED, 8 clients", CLAIM, 8),
    ] {
        row(what, format!("{:.0} /s", pgbench(url, script, clients)), "");
    }
    sqlx::raw_sql("drop table bound").execute(&pool).await.unwrap();
}

fn pgbench(url: &str, script: &str, clients: usize) -> f64 {
    let path = std::env::temp_dir().join(format!("queue-bench-{}.sql", std::process::id()));
    std::fs::File::create(&path).unwrap().write_all(script.as_bytes()).unwrap();
    let program = std::env::var("PGBENCH").unwrap_or_else(|_| "pgbench".to_owned());
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-j", "2", "-c", &clients.to_string()])
        .args(["-T", &RUN.as_secs().to_string(), "-f"])
        .args([path.as_os_str(), url.as_ref()])
        .output()
        .expect("pgbench can be started");
    std::fs::remove_file(path).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.strip_prefix("tps = "));
    rate.and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("pgbench prints its rate")
}
