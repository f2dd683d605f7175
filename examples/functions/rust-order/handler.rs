//! Adds up an order. Types say what comes in and goes out; an error says what is wrong with it.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
pub struct Order {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    cents: u64,
    count: u64,
}

#[derive(Serialize)]
pub struct Total {
    total_cents: u64,
    lines: usize,
}

pub enum OrderError {
    Empty,
    TooExpensive { name: String },
}

impl fmt::Display for OrderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the order has no items"),
            Self::TooExpensive { name } => write!(f, "nobody can pay for {name}"),
        }
    }
}

pub fn handler(order: Order) -> Result<Total, OrderError> {
    if order.items.is_empty() {
        return Err(OrderError::Empty);
    }
    let mut total_cents = 0u64;
    for item in &order.items {
        let price = item.cents.checked_mul(item.count);
        total_cents = price
            .and_then(|price| total_cents.checked_add(price))
            .ok_or_else(|| OrderError::TooExpensive { name: item.name.clone() })?;
    }
    println!("added up {} lines", order.items.len());
    Ok(Total { total_cents, lines: order.items.len() })
}
