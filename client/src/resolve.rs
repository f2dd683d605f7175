//! From the names that people type to the ids that the API takes.

use serde::de::DeserializeOwned;

use crate::{
    arguments::with_query,
    context::Context,
    failure::Failure,
    server::SavedProject,
    views::{Function, Page, Project},
};

/// Rows per page: the API's most.
const PAGE: &str = "200";
/// Pages read before giving up; a name this far down is given by id.
const MAX_PAGES: usize = 50;

/// The project that a command is about: the one named, the one chosen, or the only one.
pub(crate) async fn project(context: &Context) -> Result<SavedProject, Failure> {
    if let Some(named) = &context.project {
        return project_named(context, named).await;
    }
    if let Some(chosen) = context.api.session().login().and_then(|login| login.project) {
        return Ok(chosen);
    }
    let mut projects = projects(context).await?;
    match (projects.pop(), projects.pop()) {
        (None, _) => Err(Failure::NoProject),
        (Some(only), None) => Ok(only),
        _ => Err(Failure::usage(
            "there are several projects: choose one with --project, or for good with 'apprun project \
             use'",
        )),
    }
}

/// A project by name, without regard to case, or by id.
pub(crate) async fn project_named(context: &Context, named: &str) -> Result<SavedProject, Failure> {
    let projects = projects(context).await?;
    let names: Vec<_> = projects.iter().map(|project| project.name.clone()).collect();
    let is_it = |project: &SavedProject| project.id == named || same(&project.name, named);
    projects.into_iter().find(is_it).ok_or_else(|| no_such("project", named, &names))
}

/// The id of a function, by name in the project or by id.
pub(crate) async fn function(context: &Context, named: &str) -> Result<String, Failure> {
    if named.starts_with("func-") {
        return Ok(named.to_owned());
    }
    let project = project(context).await?;
    match find_function(context, &project, named).await? {
        Ok(function) => Ok(function.function_id),
        Err(names) => Err(no_such("function", named, &names)),
    }
}

/// The function of this name, or the names that there are.
pub(crate) async fn find_function(
    context: &Context,
    project: &SavedProject,
    named: &str,
) -> Result<Result<Function, Vec<String>>, Failure> {
    let query = [("project_id", project.id.clone())];
    let functions: Vec<Function> = all(context, "/functions", &query).await?;
    let names = functions.iter().map(|function| function.name.clone()).collect();
    let found = functions.into_iter().find(|function| same(&function.name, named));
    Ok(found.ok_or(names))
}

async fn projects(context: &Context) -> Result<Vec<SavedProject>, Failure> {
    let projects: Vec<Project> = all(context, "/projects", &[]).await?;
    let saved = projects.into_iter();
    Ok(saved.map(|project| SavedProject { id: project.project_id, name: project.name }).collect())
}

/// Every row of a list.
pub(crate) async fn all<T: DeserializeOwned>(
    context: &Context,
    path: &str,
    query: &[(&str, String)],
) -> Result<Vec<T>, Failure> {
    let mut rows = Vec::new();
    let mut cursor = None;
    for _ in 0..MAX_PAGES {
        let mut query = query.to_vec();
        query.push(("limit", PAGE.to_owned()));
        query.extend(cursor.map(|cursor| ("cursor", cursor)));
        let page: Page<T> = context.api.get(&with_query(path, &query)).await?.data()?;
        rows.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    Ok(rows)
}

/// Names are unique without regard to case.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// A name that is none of those known.
pub(crate) fn no_such(kind: &'static str, named: &str, known: &[String]) -> Failure {
    let nearest = nearest(named, known.iter().map(String::as_str)).map(str::to_owned);
    Failure::NoSuch { kind, name: named.to_owned(), nearest }
}

/// The closest of `known`, or nothing when none is similar enough to be what was meant.
pub(crate) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let distances = known.into_iter().map(|name| (name, strsim::damerau_levenshtein(wrong, name)));
    let (name, distance) = distances.min_by_key(|(_, distance)| *distance)?;
    // More than half of it wrong is another word, not a slip.
    (distance * 2 <= name.len()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_another_word_finds_none() {
        assert_eq!(nearest("go-helo", ["go-sleep", "go-hello"]), Some("go-hello"));
        assert_eq!(nearest("payments", ["go-hello"]), None);
    }
}
