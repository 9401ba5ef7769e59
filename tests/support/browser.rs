//! A real Chromium, headless, driven through its own driver.
//!
//! One driver for the whole test binary, one browser with an empty profile for each
//! test. When the binary ends, however it ends, the driver and all browsers end too:
//! a shell holds the other end of a pipe and stops them when it breaks.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::Url;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::require;
use super::wait::{PATIENCE, Waiting};

const AXE: &str = include_str!("../vendor/axe-core/axe.min.js");

/// At most two at once: more browsers than cores make each other time out.
static TURNS: Semaphore = Semaphore::const_new(2);
static DRIVER: OnceLock<Option<Driver>> = OnceLock::new();

struct Driver {
    url: String,
    chromium: PathBuf,
    /// Kept so that its standard input stays open for as long as this process lives.
    _keeper: Mutex<Child>,
}

/// One browser window with its own profile.
pub struct Browser {
    pub client: Client,
    width: u32,
    _profile: TempDir,
    _turn: SemaphorePermit<'static>,
}

/// The settings of a window.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub dark: bool,
    pub javascript: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            width: 1280,
            dark: false,
            javascript: true,
        }
    }
}

impl Look {
    pub fn phone() -> Self {
        Self {
            width: 375,
            ..Self::default()
        }
    }

    pub fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    pub fn without_javascript(self) -> Self {
        Self {
            javascript: false,
            ..self
        }
    }
}

impl Browser {
    /// Opens a window. If there is no browser, prints the reason and returns `None`.
    pub async fn open(look: Look) -> Option<Self> {
        let Some(driver) = DRIVER.get_or_init(Driver::start) else {
            require::skip("chromium or chromedriver is not installed");
            return None;
        };
        let turn = TURNS.acquire().await.unwrap();
        let profile = TempDir::new().unwrap();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(look, &driver.chromium, &profile))
            .connect(&driver.url)
            .await
            .unwrap();
        Some(Self {
            client,
            width: look.width,
            _profile: profile,
            _turn: turn,
        })
    }

    /// Closes the browser. If its test fails before this, it ends with
    /// the driver.
    pub async fn close(self) {
        self.client.close().await.unwrap();
    }

    /// Opens a URL and waits until it is loaded.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// The element, once it exists.
    pub async fn find(&self, css: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE);
        match wait.for_element(Locator::Css(css)).await {
            Ok(element) => element,
            Err(e) => panic!("{css} does not come: {e}\n{}", self.text().await),
        }
    }

    /// Clicks on the element that a CSS selector matches.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.unwrap();
    }

    /// The text of the page.
    pub async fn text(&self) -> String {
        let body = self.client.find(Locator::Css("body")).await.unwrap();
        body.text().await.unwrap()
    }

    /// Waits until the page contains these words.
    pub async fn wait_for_text(&self, words: &str) {
        let waiting = Waiting::until(&format!("the page says {words:?}"));
        loop {
            // During a navigation there is no body to read.
            let text = match self.client.find(Locator::Css("body")).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.contains(words) {
                return;
            }
            waiting.still(format_args!("{text}")).await;
        }
    }

    /// Waits until the URL has this path.
    pub async fn wait_for_path(&self, path: &str) {
        let waiting = Waiting::until(&format!("the browser is at {path}"));
        loop {
            let url = self.client.current_url().await.unwrap();
            if url.path() == path {
                return;
            }
            waiting.still(url.as_str()).await;
        }
    }

    /// Runs a script in the page and returns what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Runs a script that hands its result to `done`.
    pub async fn run_async(&self, script: &str) -> Value {
        let script = format!("const done = arguments[arguments.length - 1]; {script}");
        let done = self.client.execute_async(&script, Vec::new());
        done.await.unwrap()
    }

    /// A command of the browser's DevTools protocol, which can see more than a page.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let command = Devtools(json!({ "cmd": command, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap()
    }

    /// Emulates a media feature that the reader has set: `prefers-color-scheme`, `forced-colors`.
    pub async fn prefer(&self, feature: &str, value: &str) {
        let features = json!({ "features": [{ "name": feature, "value": value }] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// The sum of all layout shifts of this page since it was opened, including those shortly after a key press or a
    /// tap. A busy browser paints a page between two of its tags: a box whose label has no text yet, which is then centred
    /// beside the text. That is left out.
    pub async fn moved(&self) -> f64 {
        let sum = self
            .run_async(
                "let sum = 0, seen = [];
                 const [{ domInteractive: parsed }] = performance.getEntriesByType('navigation');
                 const halfRead = e => e.startTime < parsed && e.sources.length > 0 && e.sources.every(s => s.node?.localName === 'input');
                 const at = r => [r.x, r.y, r.width, r.height].map(Math.round).join(' ');
                 new PerformanceObserver(list => list.getEntries().filter(e => !halfRead(e)).forEach(e => {
                   sum += e.value;
                   for (const s of e.sources) {
                     const name = s.node ? s.node.outerHTML?.slice(0, 80) ?? s.node.textContent : 'something gone';
                     seen.push(`${name}: ${at(s.previousRect)} → ${at(s.currentRect)}`);
                   }
                 })).observe({ type: 'layout-shift', buffered: true });
                 // Two frames later, the latest shifts have been reported.
                 requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => done([sum, seen]), 100)));",
            )
            .await;
        let sum_of_shifts = sum[0].as_f64().unwrap();
        if sum_of_shifts > 0.0 {
            println!("moved: {:#}", sum[1]);
        }
        sum_of_shifts
    }

    /// Saves a screenshot of the window for a person to review, in the build's directory for tests.
    pub async fn picture(&self, name: &str) {
        let png = self.client.screenshot().await.unwrap();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        std::fs::write(path, png).unwrap();
    }

    /// The colours along the middle of a rectangle of the page, `[x, y, width, height]`, from left to right.
    pub async fn colours_across(&self, place: &Value) -> Vec<[u8; 3]> {
        let of = |at: usize| place[at].as_f64().unwrap();
        let clip = json!({ "x": of(0), "y": of(1), "width": of(2), "height": of(3), "scale": 1 });
        let shot = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let shot = self.devtools("Page.captureScreenshot", shot).await;
        let png = STANDARD.decode(shot["data"].as_str().unwrap()).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; decoder.output_buffer_size().unwrap()];
        let frame = decoder.next_frame(&mut pixels).unwrap();
        let row = &pixels[(frame.height / 2) as usize * frame.line_size..][..frame.line_size];
        row.chunks_exact(frame.line_size / frame.width as usize)
            .map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect()
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &[char]) {
        let actions = keys
            .iter()
            .fold(KeyActions::new("keyboard".to_owned()), |actions, key| {
                actions
                    .then(KeyAction::Down { value: *key })
                    .then(KeyAction::Up { value: *key })
            });
        self.client.perform_actions(actions).await.unwrap();
    }

    /// Fails if the page is wider than the window.
    pub async fn assert_no_sideways_scroll(&self) {
        // Do not compare with `innerWidth`: an emulated phone zooms out until everything fits.
        let script = "const width = arguments[0];
            const wide = document.documentElement.scrollWidth;
            if (wide <= width) return null;
            const guilty = [...document.querySelectorAll('body *')]
              .filter(e => e.getBoundingClientRect().right > width + 1)
              .slice(0, 5).map(e => e.outerHTML.slice(0, 120));
            return {wide, guilty};";
        let overflow = self.client.execute(script, vec![json!(self.width)]).await;
        let overflow = overflow.unwrap();
        assert!(overflow.is_null(), "wider than the window: {overflow:#}");
    }

    /// Fails if axe-core finds anything serious or critical on the page.
    pub async fn assert_accessible(&self) {
        self.run(AXE).await;
        let found = self
            .client
            .execute_async(
                "const done = arguments[arguments.length - 1];
                 // Skip frames: a sandboxed one (a mail) never answers, and axe would wait for a minute.
                 axe.run(document, {resultTypes: ['violations'], iframes: false}).then(
                   r => done(r.violations
                     .filter(v => ['serious', 'critical'].includes(v.impact))
                     .map(v => ({rule: v.id, help: v.help, nodes: v.nodes.slice(0, 5).map(n =>
                       ({html: n.html.slice(0, 200), why: n.failureSummary}))}))),
                   e => done([{rule: 'axe itself', help: String(e), nodes: []}]));",
                Vec::new(),
            )
            .await
            .unwrap();
        let url = self.client.current_url().await.unwrap();
        assert_eq!(found, json!([]), "axe-core on {url}: {found:#}");
    }
}

/// [`Browser::devtools`]
#[derive(Debug)]
struct Devtools(Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &Url,
        session: Option<&str>,
    ) -> Result<Url, <Url as std::str::FromStr>::Err> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

fn capabilities(look: Look, chromium: &Path, profile: &TempDir) -> Map<String, Value> {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--no-sandbox".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-quic".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--no-first-run".to_owned(),
        "--disable-background-networking".to_owned(),
        "--disable-component-update".to_owned(),
        "--disable-sync".to_owned(),
        "--disable-crash-reporter".to_owned(),
        "--disable-breakpad".to_owned(),
        "--hide-scrollbars".to_owned(),
        "--lang=en".to_owned(),
        format!("--window-size={},900", look.width.max(500)),
        format!("--user-data-dir={}", profile.path().display()),
    ];
    if look.dark {
        // The engine's own enumeration: 0 is dark, 1 is light.
        arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
    }
    let mut options = json!({ "args": arguments, "binary": chromium });
    if look.width < 500 {
        // No window can be that narrow, but an emulated phone can.
        let screen = json!({ "width": look.width, "height": 812, "pixelRatio": 2.0, "mobile": true, "touch": true });
        options["mobileEmulation"] = json!({ "deviceMetrics": screen });
    }
    if !look.javascript {
        let key = "profile.managed_default_content_settings.javascript";
        options["prefs"] = json!({ key: 2 });
    }
    // So that a page that hangs fails the test instead of hanging it.
    let timeouts = json!({ "script": 120_000, "pageLoad": 120_000 });
    Map::from_iter([
        ("goog:chromeOptions".to_owned(), options),
        ("timeouts".to_owned(), timeouts),
    ])
}

impl Driver {
    fn start() -> Option<Self> {
        let program = require::program(&["chromedriver"])?;
        let chromium = require::program(&["chromium", "chromium-browser", "google-chrome"])?;
        // In a process group of its own, so that the browsers can be ended with it.
        let mut keeper = Command::new("setsid")
            .args(["sh", "-c"])
            .arg(r#""$0" --port=0 </dev/null & cat >/dev/null; kill 0"#)
            .arg(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(keeper.stdout.take().unwrap());
        let port: u16 = output
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split("successfully on port ").nth(1)?;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver says on which port it listens");
        Some(Self {
            url: format!("http://127.0.0.1:{port}"),
            chromium,
            _keeper: Mutex::new(keeper),
        })
    }
}
