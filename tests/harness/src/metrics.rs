//! Reads the relay's admin listener: health, and metrics as a Prometheus scraper would.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::{HarnessError, PATIENCE};

/// More than any relay has to say.
const MAX_PAGE: u64 = 4 << 20;

/// The value of a metric, summed over its labels.
///
/// # Errors
/// [`HarnessError::NoMetric`] if the page does not have it; [`HarnessError::Io`] and
/// [`HarnessError::Silent`] if there is no page.
pub async fn read_metric(admin: SocketAddr, name: &str) -> Result<f64, HarnessError> {
    let page = read_page(admin, "/metrics").await?;
    sum(&page, name).ok_or_else(|| HarnessError::NoMetric(name.to_owned()))
}

/// A page with the head of its HTTP answer.
///
/// # Errors
/// [`HarnessError::Io`] and [`HarnessError::Silent`].
pub(crate) async fn read_page(admin: SocketAddr, path: &str) -> Result<String, HarnessError> {
    timeout(PATIENCE, fetch(admin, path))
        .await
        .map_err(|_| HarnessError::Silent("page of the admin listener"))?
}

/// HTTP/1.0, so that the answer is neither chunked nor followed by another.
async fn fetch(admin: SocketAddr, path: &str) -> Result<String, HarnessError> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut page = String::new();
    stream.take(MAX_PAGE).read_to_string(&mut page).await?;
    Ok(page)
}

fn sum(page: &str, name: &str) -> Option<f64> {
    let mut total = None;
    for line in page.lines() {
        let Some(rest) = line.strip_prefix(name) else {
            continue;
        };
        if !rest.starts_with(['{', ' ']) {
            continue;
        }
        // A label may hold spaces, the value may not.
        if let Some(value) = rest
            .rsplit(' ')
            .next()
            .and_then(|text| text.parse::<f64>().ok())
        {
            total = Some(total.unwrap_or(0.0) + value);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_summed_and_longer_names_are_others() {
        let page =
            "HTTP/1.0 200 OK\r\n\r\n# TYPE a counter\na{x=\"1 2\"} 3\na{x=\"2\"} 4\na_total 9\n";
        assert_eq!(sum(page, "a"), Some(7.0));
        assert_eq!(sum(page, "a_total"), Some(9.0));
        assert_eq!(sum(page, "b"), None);
    }
}
