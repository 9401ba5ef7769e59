//! A browser without JavaScript.
//!
//! It keeps cookies, follows redirects, and submits the forms that the page actually
//! contains, with their hidden fields and the headers that a browser would send. A test
//! that fills in a field that is not on the page fails.

use std::net::SocketAddr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, StatusCode, Url};

pub use super::page::{Form, Page};

/// A person with a browser, at the site under test.
#[derive(Clone)]
pub struct Reader {
    client: Client,
    base: Url,
    public: Url,
    extra: HeaderMap,
}

impl Reader {
    /// `address` is where the app listens, `public` its configured URL: links in
    /// mails and pages that begin with the public URL lead to the address.
    pub fn new(address: SocketAddr, public: &str) -> Self {
        let client = Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // For the same reason as in `World`.
            .pool_max_idle_per_host(0)
            .build()
            .unwrap();
        Self {
            client,
            base: format!("http://{address}").parse().unwrap(),
            public: public.parse().unwrap(),
            extra: HeaderMap::new(),
        }
    }

    /// The same browser with shared cookies, which sends another header with every request.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.extra.insert(
            HeaderName::try_from(name).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
        self
    }

    /// Opens a path of the site, or a link from a mail.
    pub async fn get(&self, to: &str) -> Page {
        let url = self.locate(to);
        let headers = fetch_headers("none");
        self.go(Method::GET, url, headers, None).await
    }

    /// Follows the first link of a page whose text or URL contains `what`.
    pub async fn follow(&self, page: &Page, what: &str) -> Page {
        let href = page
            .links()
            .into_iter()
            .find(|(href, text)| text.contains(what) || href.contains(what))
            .unwrap_or_else(|| panic!("no link {what:?} on {}:\n{}", page.url, page.text()))
            .0;
        let mut headers = fetch_headers("same-origin");
        headers.insert("referer", header(self.public_of(&page.url).as_str()));
        self.go(Method::GET, page.url.join(&href).unwrap(), headers, None)
            .await
    }

    /// Presses the button of a form.
    pub async fn submit(&self, form: Form) -> Page {
        let mut url = self.locate(form.action.as_str());
        let same = form.page.origin() == url.origin();
        let mut headers = fetch_headers(if same { "same-origin" } else { "cross-site" });
        headers.insert("referer", header(self.public_of(&form.page).as_str()));
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&form.fields)
            .finish();
        if form.method == Method::GET {
            url.set_query(Some(&body));
            return self.go(Method::GET, url, headers, None).await;
        }
        let origin = self.public_of(&form.page).origin().ascii_serialization();
        headers.insert("origin", header(&origin));
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        self.go(Method::POST, url, headers, Some(body)).await
    }

    /// Posts fields without having seen a form, like a script or an old page.
    pub async fn post(&self, to: &str, fields: &[(&str, &str)]) -> Page {
        let url = self.locate(to);
        self.submit(Form::unseen(&url, fields)).await
    }

    /// The HTTP client with this browser's cookies, for requests that no browser would send.
    pub fn client(&self) -> &Client {
        &self.client
    }

    fn locate(&self, to: &str) -> Url {
        let url = self.base.join(to).unwrap();
        if url.origin() == self.public.origin() {
            moved(&url, &self.base)
        } else {
            url
        }
    }

    fn public_of(&self, url: &Url) -> Url {
        if url.origin() == self.base.origin() {
            moved(url, &self.public)
        } else {
            url.clone()
        }
    }

    async fn go(
        &self,
        mut method: Method,
        mut url: Url,
        mut headers: HeaderMap,
        mut body: Option<String>,
    ) -> Page {
        headers.extend(self.extra.clone());
        for _ in 0..10 {
            let mut request = self
                .client
                .request(method.clone(), url.clone())
                .headers(headers.clone());
            if let Some(body) = body.clone() {
                request = request.body(body);
            }
            let response = request.send().await.unwrap();
            let status = response.status();
            if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
                let headers = response.headers().clone();
                let body = response.bytes().await.unwrap();
                return Page {
                    url,
                    status,
                    headers,
                    body: String::from_utf8_lossy(&body).into_owned(),
                };
            }
            let location = response.headers()["location"].to_str().unwrap();
            url = self.locate(url.join(location).unwrap().as_str());
            if status != StatusCode::TEMPORARY_REDIRECT && status != StatusCode::PERMANENT_REDIRECT
            {
                method = Method::GET;
                body = None;
                headers.remove("content-type");
                headers.remove("origin");
            }
        }
        panic!("more than ten redirects, at {url}");
    }
}

/// The same path on another site.
fn moved(url: &Url, site: &Url) -> Url {
    let mut moved = site.clone();
    moved.set_path(url.path());
    moved.set_query(url.query());
    moved
}

fn header(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap()
}

/// The fetch metadata headers that a browser sends with a navigation.
fn fetch_headers(site: &'static str) -> HeaderMap {
    [
        ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
        ("accept-language", "en"),
        ("sec-fetch-site", site),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
        ("sec-fetch-user", "?1"),
    ]
    .into_iter()
    .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
    .collect()
}
