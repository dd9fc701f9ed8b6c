//! A browser that a test controls: Chromium without a window, over a pipe (Chrome `DevTools` Protocol).
//!
//! The protocol over two pipes is JSON between NUL bytes, so the standard library is enough. Crates that control
//! browsers bring a runtime, a client of web sockets and a generated module of the whole protocol, and take longer to
//! build than the project itself.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{has_file, has_program};

/// Debian's name of the program.
const CHROMIUM: &str = "chromium";
/// Milliseconds within which a condition that a test waits for must become true.
const PATIENCE: u32 = 20_000;

/// The path at which `.ci/run` installs axe-core, a checker of accessibility.
const AXE_CORE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/../ci/web/node_modules/axe-core/axe.min.js");

/// A running browser with one page.
pub(crate) struct Browser {
    chromium: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    calls: u64,
    session: Option<String>,
    events: Vec<Value>,
    _home: TempDir,
}

impl Browser {
    /// Starts a browser. Returns `None` after a warning where there is none.
    pub(crate) fn start() -> Option<Self> {
        if !has_program(&[CHROMIUM, "--version"]) {
            return None;
        }
        let home = TempDir::new().unwrap();
        // Chromium reads from descriptor 3 and writes to 4, which only a shell passes on without unsafe code.
        let mut chromium = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh", CHROMIUM])
            .args([
                "--headless",
                "--no-sandbox",
                "--remote-debugging-pipe",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args(["--disable-quic", "--disable-background-networking", "--disable-component-update"])
            .args(["--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .arg(format!("--user-data-dir={}", home.path().display()))
            .arg("about:blank")
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let to = chromium.stdin.take().unwrap();
        let from = BufReader::new(chromium.stdout.take().unwrap());
        let mut browser =
            Self { chromium, to, from, calls: 0, session: None, events: Vec::new(), _home: home };
        let page = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attached =
            browser.call("Target.attachToTarget", &json!({"targetId": page["targetId"], "flatten": true}));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.resize(1280, 900);
        Some(browser)
    }

    /// Calls a method of the protocol and returns its result.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        self.to.flush().unwrap();
        loop {
            let message = self.message();
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn message(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Opens a file, at a place in it, and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&mut self, file: &Path, fragment: &str) {
        // A blank page comes first, since nothing is loaded when only the fragment changes.
        self.navigate("about:blank");
        self.events.clear();
        self.navigate(&format!("file://{}{fragment}", file.display()));
    }

    /// Opens a page at one of its files and waits until that is shown.
    #[track_caller]
    pub(crate) fn open_file(&mut self, page: &Path, fragment: &str) {
        self.open(page, fragment);
        self.wait_until("document.body.dataset.shown");
    }

    /// Returns the number of the current line.
    #[track_caller]
    pub(crate) fn current_line(&mut self) -> String {
        self.text(".line.current .number-of-line")
    }

    /// Goes to an address and waits until it is loaded.
    #[track_caller]
    fn navigate(&mut self, address: &str) {
        self.loading(|browser| {
            browser.call("Page.navigate", &json!({"url": address}));
        });
    }

    /// Loads the page anew, as a person does, and waits until it is loaded. Fails if the page was not quiet before.
    #[track_caller]
    pub(crate) fn reload(&mut self) {
        self.assert_quiet();
        self.events.clear();
        self.loading(|browser| {
            browser.call("Page.reload", &json!({}));
        });
    }

    /// Clicks a link to another page and waits until that is loaded.
    #[track_caller]
    pub(crate) fn follow(&mut self, selector: &str) {
        self.loading(|browser| browser.click(selector));
    }

    /// Does what opens another page, and waits until that is loaded.
    pub(crate) fn loading(&mut self, act: impl FnOnce(&mut Self)) {
        let before = self.loads();
        act(self);
        while self.loads() == before {
            let message = self.message();
            self.events.push(message);
        }
    }

    fn loads(&self) -> usize {
        self.events.iter().filter(|event| event["method"] == "Page.loadEventFired").count()
    }

    /// Returns the value of an expression in the page.
    #[track_caller]
    pub(crate) fn eval(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let result = self.call("Runtime.evaluate", &parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// Returns the visible text of the first element that a selector matches.
    #[track_caller]
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let text = self.eval(&format!(
            "((element) => element.innerText || element.textContent)(document.querySelector({}))",
            json!(selector)
        ));
        text.as_str().unwrap_or_else(|| panic!("{selector}: {text}")).trim().to_owned()
    }

    /// Returns the path of the open file, the folders of which stand elsewhere on screens that are not wide.
    pub(crate) fn path(&mut self) -> String {
        self.eval("document.getElementById('path').textContent").as_str().unwrap().trim().to_owned()
    }

    /// Returns the visible texts of all elements that a selector matches, on the screen or below it.
    #[track_caller]
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let of_all = |what| {
            format!(
                "[...document.querySelectorAll({})].filter((e) => e.checkVisibility()).map((e) => {what})",
                json!(selector)
            )
        };
        if self.eval(&of_all("e.innerText")).as_array().unwrap().contains(&json!("")) {
            // Elements that are not laid out have no text yet; a screenshot lays out those on the screen.
            self.call("Page.captureScreenshot", &json!({"optimizeForSpeed": true}));
        }
        // Elements below the screen have no `innerText` even then.
        let texts = self.eval(&of_all("(e.innerText || e.textContent).trim()"));
        serde_json::from_value(texts).unwrap()
    }

    /// Waits until an expression is true in the page.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, expression: &str) {
        let waited = self.eval(&format!(
            "new Promise((done) => {{
                const since = performance.now();
                const look = () => {{
                    if ({expression}) done(true);
                    else if (performance.now() - since > {PATIENCE}) done(false);
                    else setTimeout(look, 5);
                }};
                look();
            }})"
        ));
        assert_eq!(waited, true, "never: {expression}");
    }

    /// Clicks into the middle of the first element that a selector matches, as a person would.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let place = self.eval(&format!(
            "(() => {{
                const element = document.querySelector({});
                element.scrollIntoView({{ block: 'center' }});
                const {{ left, top, width, height }} = element.getBoundingClientRect();
                return {{ x: left + width / 2, y: top + height / 2 }};
            }})()",
            json!(selector)
        ));
        self.click_at((place["x"].as_f64().unwrap(), place["y"].as_f64().unwrap()));
    }

    /// Clicks at a place in the window.
    pub(crate) fn click_at(&mut self, (x, y): (f64, f64)) {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.call("Input.dispatchMouseEvent", &event);
        }
    }

    /// Presses keys, one for each character.
    pub(crate) fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            let key = key.to_string();
            self.call("Input.dispatchKeyEvent", &json!({"type": "keyDown", "key": key, "text": key}));
            self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key}));
        }
    }

    /// Presses a key without a character, such as `Escape`.
    pub(crate) fn press_named(&mut self, key: &str, number: u32) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": number});
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    pub(crate) fn resize(&mut self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Makes the system prefer `light` or `dark`.
    pub(crate) fn prefer_color_scheme(&mut self, scheme: &str) {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", &features);
    }

    /// Returns the numbers that an expression in the page has, rounded.
    #[track_caller]
    pub(crate) fn numbers<const N: usize>(&mut self, expression: &str) -> [i64; N] {
        let rounded = self.eval(&format!("({expression}).map(Math.round)"));
        let numbers: Vec<i64> = serde_json::from_value(rounded).unwrap();
        numbers.try_into().unwrap_or_else(|other| panic!("{expression}: {other:?}"))
    }

    /// Returns the violations that axe-core finds in the page, a line for each element. Returns `None` after a warning
    /// where there is no axe-core.
    ///
    /// The script is not subject to the policy of the page, like an extension of the browser.
    pub(crate) fn accessibility_violations(&mut self) -> Option<Vec<String>> {
        if !has_file(Path::new(AXE_CORE)) {
            return None;
        }
        if self.eval("typeof axe") == "undefined" {
            let source = std::fs::read_to_string(AXE_CORE).unwrap();
            self.call("Runtime.evaluate", &json!({"expression": source}));
        }
        // The size of click targets is a rule of WCAG 2.2, which is off by default.
        let faults = self.eval(
            "axe.run(document, {
                preload: false, resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })
            .then(({ violations }) => violations.flatMap(({ id, impact, help, nodes }) => nodes.map((node) =>
                `${id} (${impact}), ${help}: ${node.target.join(' ')}: ${node.html.slice(0, 200)} ${node.failureSummary}`)))",
        );
        Some(serde_json::from_value(faults).unwrap())
    }

    /// Returns the roles and names that a screen reader gets for an element and its content, such as `link "up.go"`.
    #[track_caller]
    pub(crate) fn accessible_texts(&mut self, expression: &str) -> Vec<String> {
        let object = self.call("Runtime.evaluate", &json!({"expression": expression}));
        let nodes =
            self.call("Accessibility.queryAXTree", &json!({"objectId": object["result"]["objectId"]}));
        let nodes = nodes["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] == false);
        let texts = nodes.map(|node| {
            let role = node["role"]["value"].as_str().unwrap_or_default();
            (role, node["name"]["value"].as_str().unwrap_or_default().trim())
        });
        let texts = texts.filter(|(role, name)| !name.is_empty() && *role != "InlineTextBox");
        texts.map(|(role, name)| format!("{role} {name:?}")).collect()
    }

    /// Returns the role and name of the element that has the focus.
    #[track_caller]
    pub(crate) fn accessible_text_of_focus(&mut self) -> String {
        self.accessible_texts("document.activeElement").swap_remove(0)
    }

    /// Returns a picture of what the window shows, as PNG.
    pub(crate) fn screenshot(&mut self) -> Vec<u8> {
        self.capture(&json!({"format": "png"}))
    }

    fn capture(&mut self, parameters: &Value) -> Vec<u8> {
        let picture = self.call("Page.captureScreenshot", parameters);
        STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()
    }

    /// Saves a screenshot for people, in the folder `pages` of the temporary files of the build. It takes half the time of
    /// [`Self::screenshot`] and is larger.
    pub(crate) fn take_screenshot(&mut self, name: &str) {
        let picture = self.capture(&json!({"format": "png", "optimizeForSpeed": true}));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("pages");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Fails if the page, since it was opened, requested anything but itself, threw, logged, or asked the person
    /// something.
    #[track_caller]
    pub(crate) fn assert_quiet(&mut self) {
        // Events of the page before this call arrive before its answer.
        self.eval("0");
        let is_loud = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => event["params"]["type"] != "Document",
            "Runtime.exceptionThrown"
            | "Runtime.consoleAPICalled"
            | "Log.entryAdded"
            | "Page.javascriptDialogOpening"
            | "Page.windowOpen" => true,
            _ => false,
        };
        let loud: Vec<&Value> = self.events.iter().filter(is_loud).collect();
        assert!(loud.is_empty(), "{loud:#?}");
        let documents =
            self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent").count();
        assert_eq!(documents, 1, "the page itself, and thus requests are seen");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.chromium.kill();
        let _ = self.chromium.wait();
    }
}
