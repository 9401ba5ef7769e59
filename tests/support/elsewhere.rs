//! A publisher's web site on another origin, and a proxy between its readers and us that can be slow, full or broken.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use tokio::net::TcpListener;

async fn listen(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A publisher's site, which serves its present page at every path. Its host is `localhost`, so that it is a different
/// site, and not only a different port.
#[derive(Clone)]
pub struct Publisher {
    pub origin: String,
    page: Arc<Mutex<(String, String)>>,
}

impl Publisher {
    pub async fn open() -> Self {
        let page = Arc::new(Mutex::new((String::new(), String::new())));
        let router = Router::new().fallback(show).with_state(page.clone());
        let address = listen(router).await;
        Self {
            origin: format!("http://localhost:{}", address.port()),
            page,
        }
    }

    /// Publishes `html` between two paragraphs of an article, with a content security policy that allows only `host`.
    pub fn publish(&self, html: &str, host: &str) {
        self.publish_as("<html lang=\"en\">", "<body>", html, host);
    }

    /// Like [`publish`](Self::publish), with custom opening tags, for direction and colours.
    pub fn publish_as(&self, opening: &str, body: &str, html: &str, host: &str) {
        let policy = format!(
            "default-src 'none'; style-src {host}; script-src {host}; connect-src {host}; \
             frame-src {host}; form-action {host}; base-uri 'none'"
        );
        let page = format!(
            "<!doctype html>{opening}<head><meta charset=\"utf-8\"><title>An article</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"></head>\n\
             {body}<main><h1>An article</h1><p>Before it.</p>\n{html}\n<p id=\"after\">After it.</p></main></body></html>"
        );
        *self.page.lock().unwrap() = (page, policy);
    }

    pub fn article(&self) -> String {
        format!("{}/article", self.origin)
    }
}

async fn show(State(page): State<Arc<Mutex<(String, String)>>>) -> Response {
    let (page, policy) = page.lock().unwrap().clone();
    let mut response = axum::response::Html(page).into_response();
    let policy = HeaderValue::from_str(&policy).unwrap();
    response
        .headers_mut()
        .insert("content-security-policy", policy);
    response
}

/// What happens to matching requests.
#[derive(Debug, Clone)]
pub enum Trouble {
    Slow(Duration),
    /// This many are refused with 503 and `Retry-After: 1`; later ones go through.
    Full(usize),
    /// They arrive, but the response is lost.
    Lost,
}

#[derive(Default)]
struct Traffic {
    troubles: Vec<(String, Trouble)>,
    seen: Vec<String>,
}

/// A proxy in front of the app, with an origin of its own.
#[derive(Clone)]
pub struct Road {
    pub origin: String,
    traffic: Arc<Mutex<Traffic>>,
}

#[derive(Clone)]
struct Forward {
    to: String,
    client: reqwest::Client,
    traffic: Arc<Mutex<Traffic>>,
}

impl Road {
    pub async fn to(address: SocketAddr) -> Self {
        let traffic = Arc::new(Mutex::new(Traffic::default()));
        let forward = Forward {
            to: format!("http://{address}"),
            // For the same reason as in `World`.
            client: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(0)
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            traffic: traffic.clone(),
        };
        let address = listen(Router::new().fallback(pass).with_state(forward)).await;
        Self {
            origin: format!("http://{address}"),
            traffic,
        }
    }

    /// Causes trouble from now on, for requests whose method and path begin like this, for instance `POST /p/`.
    pub fn trouble(&self, requests: &str, trouble: Trouble) {
        let mut traffic = self.traffic.lock().unwrap();
        traffic.troubles.push((requests.to_owned(), trouble));
    }

    /// Ends all trouble.
    pub fn mend(&self) {
        self.traffic.lock().unwrap().troubles.clear();
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<String> {
        self.traffic.lock().unwrap().seen.clone()
    }
}

async fn pass(State(road): State<Forward>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().unwrap().as_str().to_owned();
    let live = parts.uri.path().ends_with("/live");
    let line = format!("{} {path}", parts.method);
    let mut wait = Duration::ZERO;
    let (mut full, mut lost) = (false, false);
    {
        let mut traffic = road.traffic.lock().unwrap();
        traffic.seen.push(line.clone());
        for (_, trouble) in traffic
            .troubles
            .iter_mut()
            .filter(|(start, _)| line.starts_with(start))
        {
            match trouble {
                Trouble::Slow(by) => wait += *by,
                Trouble::Full(left) if *left > 0 => {
                    *left -= 1;
                    full = true;
                }
                Trouble::Full(_) => {}
                Trouble::Lost => lost = true,
            }
        }
    }
    tokio::time::sleep(wait).await;
    if full {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            [
                ("retry-after", "1"),
                ("access-control-allow-origin", "*"),
                ("access-control-expose-headers", "Retry-After"),
            ],
        )
            .into_response();
    }
    let mut headers = parts.headers;
    headers.remove("host");
    headers.remove("accept-encoding");
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let sent = road
        .client
        .request(parts.method, format!("{}{path}", road.to))
        .headers(headers)
        .body(body)
        .send()
        .await
        .unwrap();
    if lost {
        let broken: Result<&[u8], _> = Err(std::io::Error::other("the connection broke"));
        return Body::from_stream(futures::stream::iter([broken])).into_response();
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = sent.status();
    *response.headers_mut() = sent.headers().clone();
    response.headers_mut().remove("transfer-encoding");
    *response.body_mut() = match live {
        // It has no end.
        true => Body::from_stream(futures::stream::unfold(sent, async |mut sent| {
            let chunk = sent.chunk().await.ok()??;
            Some((Ok::<_, std::convert::Infallible>(chunk), sent))
        })),
        false => Body::from(sent.bytes().await.unwrap()),
    };
    response
}
