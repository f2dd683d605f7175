mod price;
pub use price::handler;
