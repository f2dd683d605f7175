//! The two declarations: `body!` for what comes in, `view!` for what goes out.
//!
//! ```text
//! view! {
//!     /// What it is.
//!     Project {
//!         /// What this is.
//!         name: String = "shop",
//!     }
//! }
//! ```
//! declares `struct Project { name: String }` with serde, schema and an example put together from
//! the value behind each `=`. `body!` also declares how the struct is read from a JSON object, and
//! says in brackets how many bytes the object may have, given the configured sizes.

/// What goes out. Every field is always there.
macro_rules! view {
    ($(#[doc = $doc:literal])+ $name:ident {
        $($(#[doc = $field_doc:literal])+ $field:ident : $type:ty = $example:expr),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug, serde::Serialize)]
        pub(crate) struct $name {
            $($(#[doc = $field_doc])+ pub(crate) $field: $type,)+
        }
        $crate::shape::shape!(false, $name, concat!($($doc),+), {
            $($field, concat!($($field_doc),+), $type, $example;)+
        });
    };
}

/// What comes in. `Option` fields may be left out, or be null, which means the same.
macro_rules! body {
    ($(#[doc = $doc:literal])+ $name:ident [$max_bytes:expr] {
        $($(#[doc = $field_doc:literal])+ $field:ident : $type:ty = $example:expr),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub(crate) struct $name {
            $($(#[doc = $field_doc])+ pub(crate) $field: $type,)+
        }
        $crate::shape::shape!(true, $name, concat!($($doc),+), {
            $($field, concat!($($field_doc),+), $type, $example;)+
        });

        impl $crate::shape::Body for $name {
            const FIELDS: &[&str] = &[$(stringify!($field)),+];

            fn max_bytes(payloads: &shared::config::PayloadLimits) -> usize {
                let max_bytes: fn(&shared::config::PayloadLimits) -> usize = $max_bytes;
                max_bytes(payloads)
            }

            fn read(fields: &mut $crate::shape::Fields<'_>) -> Option<Self> {
                $(let $field = fields.take::<$type>(stringify!($field));)+
                Some(Self { $($field: $field?),+ })
            }
        }
    };
}

/// Schema and example of a declared struct; both declarations end here.
macro_rules! shape {
    ($may_omit:literal, $name:ident, $doc:expr, {
        $($field:ident, $field_doc:expr, $type:ty, $example:expr;)+
    }) => {
        impl $crate::shape::Shape for $name {
            fn schema() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference(stringify!($name).to_owned())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                registry.create_schema::<Self, _>(stringify!($name).to_owned(), |registry| {
                    $(<$type as $crate::shape::Shape>::register(registry);)+
                    let properties = vec![$($crate::shape::Property {
                        name: stringify!($field),
                        doc: $field_doc,
                        schema: <$type as $crate::shape::Shape>::schema(),
                        required: !($may_omit && <$type as $crate::shape::Shape>::OPTIONAL),
                    }),+];
                    $crate::shape::object($doc, properties, Self::example())
                });
            }

            fn example() -> serde_json::Value {
                // Field by field: an object in one `json!` has a limit of fields.
                let fields = [$((stringify!($field).to_owned(), serde_json::json!($example))),+];
                serde_json::Value::Object(fields.into_iter().collect())
            }
        }
    };
}

pub(crate) use body;
pub(crate) use shape;
pub(crate) use view;
