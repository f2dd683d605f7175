//! The query of a request as a whole: every parameter is one that the endpoint reads, and given
//! once. Single values are read by `params::Query`.

use poem::Request;

use crate::{offered::Offered, problem::Problem, shape::FieldError};

/// Parameters that an answer complains about at most.
const MAX_WRONG: usize = 16;

/// Refuses what nobody would read. What the document does not describe is left to the router.
pub(crate) fn check(request: &Request, offered: &Offered) -> Result<(), Problem> {
    if request.uri().query().is_none() {
        return Ok(());
    }
    let path = request.uri().path();
    let Some(known) = offered.parameters(request.method().as_str(), path) else { return Ok(()) };
    let wrong = wrong(&read(request)?, known);
    if wrong.is_empty() { Ok(()) } else { Err(Problem::invalid(&wrong)) }
}

/// Names and texts, in order.
pub(crate) fn read(request: &Request) -> Result<Vec<(String, String)>, Problem> {
    request.params().map_err(|_| Problem::invalid_field("query", "is not a valid query string"))
}

fn wrong(given: &[(String, String)], known: &[String]) -> Vec<FieldError> {
    let complaint = |place: usize, name: &str| {
        if !known.iter().any(|known| known == name) {
            return Some(match known {
                [] => "is not a known parameter; this endpoint has none".to_owned(),
                known => format!("is not a known parameter; known are: {}", known.join(", ")),
            });
        }
        let again = given[..place].iter().any(|(earlier, _)| earlier == name);
        again.then(|| "is given more than once".to_owned())
    };
    let complaints = given.iter().enumerate().filter_map(|(place, (name, _))| {
        let field = name.chars().take(64).collect();
        complaint(place, name).map(|message| FieldError { field, message })
    });
    complaints.take(MAX_WRONG).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(given: &[&str], known: &[&str]) -> Vec<(String, String)> {
        let given: Vec<_> = given.iter().map(|it| ((*it).to_owned(), String::new())).collect();
        let known: Vec<_> = known.iter().map(|it| (*it).to_owned()).collect();
        wrong(&given, &known).into_iter().map(|it| (it.field, it.message)).collect()
    }

    #[test]
    fn every_parameter_is_known_and_given_once() {
        assert_eq!(complaints(&["limit", "cursor"], &["cursor", "limit"]), []);
        let unknown = complaints(&["limt"], &["cursor", "limit"]);
        assert!(unknown[0].1.contains("known are: cursor, limit"), "{unknown:?}");
        let none = complaints(&["x"], &[]);
        assert!(none[0].1.contains("has none"), "{none:?}");
        let twice = complaints(&["limit", "limit"], &["limit"]);
        assert_eq!(twice, [("limit".to_owned(), "is given more than once".to_owned())]);
        assert_eq!(complaints(&["x"; 100], &[]).len(), MAX_WRONG, "an answer stays short");
    }
}
