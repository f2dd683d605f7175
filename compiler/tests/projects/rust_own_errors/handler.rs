use std::fmt;

pub enum Failure {
    NoArticle(u32),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoArticle(order) => write!(f, "order {order}: no such article"),
        }
    }
}

pub fn handler(_: u32) -> Result<(), Failure> {
    Err(Failure::NoArticle(7))
}
