//! The pages of every list.

use poem_openapi::registry::{MetaSchemaRef, Registry};
use serde::Serialize;
use serde_json::{Value, json};
use shared::domain::PageSize;

use crate::shape::{Property, Shape, inline, object};

/// One page of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// From rows read with `PageSize::and_one`; `cursor` names a row for the next request.
    pub(crate) fn of<R>(
        rows: Vec<R>,
        size: PageSize,
        cursor: impl Fn(&R) -> String,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let (rows, more) = size.cut(rows);
        let next_cursor = rows.last().filter(|_| more).map(cursor);
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}

impl<T: Shape> Shape for Page<T> {
    fn schema() -> MetaSchemaRef {
        let property =
            |name, doc, schema: MetaSchemaRef| Property { name, doc, schema, required: true };
        inline(object(
            "One page of a list.",
            vec![
                property("items", "The rows of this page.", Vec::<T>::schema()),
                property(
                    "next_cursor",
                    "Goes into `cursor` to get the next page; null at the end.",
                    Option::<String>::schema(),
                ),
            ],
            Self::example(),
        ))
    }

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn example() -> Value {
        json!({ "items": [T::example()], "next_cursor": null })
    }
}
