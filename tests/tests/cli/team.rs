//! Several people in one project.

use crate::person::{EMAIL, Person};

const BOB: &str = "bob@example.com";

#[test]
fn somebody_with_an_account_is_invited_and_accepts() {
    let owner = Person::at_work();
    let bob = owner.neighbour();
    bob.fine(&["login", "--register", "--email", BOB]);
    bob.fine(&["project", "create", "own"]);

    let add = owner.run(&["members", "add", BOB]);
    assert_eq!(add.code, Some(4), "{add:?}");
    assert!(add.stderr.contains(&format!("next: apprun invitations create {BOB}")), "{add:?}");
    let made = owner.run(&["invitations", "create", BOB, "--role", "viewer"]);
    let token = made.stdout.trim_end();
    assert!(token.starts_with("apprun_inv_") && !made.stderr.contains(token), "{made:?}");
    assert!(owner.fine(&["invitations", "list"]).contains(BOB));

    let accepted = bob.run(&["invitations", "accept", token]);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    assert!(accepted.stderr.contains("you are viewer in project tour now"), "{accepted:?}");
    assert!(bob.fine(&["project", "list"]).contains("tour"));
    assert_eq!(bob.run(&["members", "remove", EMAIL]).code, Some(3), "a viewer");

    let tenants = bob.fine(&["tenants", "list"]);
    assert_eq!(tenants.lines().count(), 2, "{tenants}");
    let home = tenants.lines().find(|line| line.contains("owner")).unwrap();
    let id = home.split_whitespace().find(|word| word.starts_with("ten-")).unwrap();
    bob.fine(&["tenants", "use", id]);
    assert!(bob.fine(&["project", "list"]).starts_with("own "));
}

#[test]
fn roles_are_listed_changed_and_taken_away() {
    let owner = Person::at_work();
    let made = owner.fine(&["invitations", "create", BOB, "--expires-in-days", "1"]);
    let bob = owner.neighbour();
    let register = ["login", "--register", "--email", BOB, "--invitation", made.trim_end()];
    bob.fine(&register);
    assert_eq!(owner.fine(&["invitations", "list"]), "", "it is used up");

    let row = |people: &str| people.lines().find(|it| it.starts_with(BOB)).map(str::to_owned);
    assert!(row(&owner.fine(&["members", "list"])).unwrap().contains("member"));
    owner.fine(&["members", "role", "Bob@example.com", "admin"]);
    assert!(row(&owner.fine(&["members", "list"])).unwrap().contains("admin"));
    owner.fine(&["members", "remove", BOB]);
    assert_eq!(row(&owner.fine(&["members", "list"])), None);
    let unknown = owner.run(&["members", "remove", "bo@example.com"]);
    assert_eq!(unknown.code, Some(4), "{unknown:?}");

    let open = owner.fine(&["invitations", "create", "eve@example.com"]);
    let id = owner.fine(&["invitations", "list"]);
    owner.fine(&["invitations", "revoke", id.split_whitespace().next().unwrap()]);
    assert_eq!(bob.run(&["invitations", "accept", open.trim_end()]).code, Some(3));
}
