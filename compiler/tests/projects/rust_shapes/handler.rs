use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shape {
    Circle { r: f64 },
    Square { a: f64 },
}

pub fn handler(shape: Shape) -> Result<impl Serialize, &'static str> {
    let area = match shape {
        Shape::Circle { r } => 3.14 * r * r,
        Shape::Square { a } => a * a,
    };
    Ok((area, None::<u8>, BTreeMap::from([("a", (1, 2))])))
}
