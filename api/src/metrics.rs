//! GET /metrics: what this process counts, for Prometheus. Without a token and without the envelope;
//! no tenant and no payload appears in it.

use poem::{Endpoint, IntoResponse, Request, endpoint::make, get, http::header};
use shared::metrics::content_type;

use crate::ApiState;

pub(crate) fn endpoint(state: ApiState) -> impl Endpoint {
    get(make(move |request: Request| {
        let state = state.clone();
        let kind = content_type(request.header(header::ACCEPT));
        async move { state.process.metrics.scrape(&state.db).await.with_content_type(kind) }
    }))
}
