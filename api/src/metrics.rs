//! GET /metrics: what this process counts, for Prometheus. Without a token and without the envelope;
//! no tenant and no payload appears in it.

use poem::{Endpoint, IntoResponse, endpoint::make, get};
use shared::metrics::CONTENT_TYPE;

use crate::ApiState;

pub(crate) fn endpoint(state: ApiState) -> impl Endpoint {
    get(make(move |_| {
        let state = state.clone();
        async move { state.process.metrics.scrape(&state.db).await.with_content_type(CONTENT_TYPE) }
    }))
}
