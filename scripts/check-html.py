#!/usr/bin/env python3
"""Looks at a report.html in a real Chromium: scripts/check-html.py REPORT.html [PICTURES_DIR]

At 1280 and 360 pixels, light and dark: the page never scrolls sideways, asks for nothing but itself, says nothing on the
console, and every text outside figures has a contrast of 4.5 or more. With PICTURES_DIR a picture of each is left there, and
the printed page as PDF. Chromium is driven through a pair of pipes, so nothing but Python and a browser is needed.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome-headless-shell"]
HOW = "no Chromium found on PATH (or in $CHROMIUM): sudo apt-get install chromium, or npx playwright install chromium"
VIEWS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]

# Text whose colour is too near to what lies behind it; figures are drawn on white and have tests of their own.
CONTRAST = """(() => {
  const rgba = s => (s.match(/[\\d.]+/g) || []).map(Number);
  const lum = c => c.slice(0, 3).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] > 0) return c; } return [255, 255, 255]; };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), seen = new Map();
  for (let n; n = walker.nextNode();) {
    const e = n.parentElement;
    if (!n.data.trim() || e.closest('svg, .anchor') || !e.checkVisibility()) continue;
    const [a, b] = [lum(rgba(getComputedStyle(e).color)), lum(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const key = e.tagName + '.' + e.className;
    if (!seen.has(key) || seen.get(key)[0] > ratio) seen.set(key, [ratio, n.data.trim().slice(0, 40)]);
  }
  return [...seen].map(([key, [ratio, text]]) => [key, ratio, text]).sort((a, b) => a[1] - b[1]);
})()"""


class Browser:
    """The DevTools protocol over file descriptors 3 and 4: JSON texts that end with a zero byte."""

    def __init__(self, program, profile):
        to_read, self.to_write = os.pipe()
        self.from_read, from_write = os.pipe()
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
                     f"--user-data-dir={profile}", "about:blank"]
        # Through high numbers first, or one of the pair could lie where the other has to go.
        script = 'exec "$0" "$@" 3<&"$IN" 4>&"$OUT"'
        environment = {**os.environ, "IN": str(to_read), "OUT": str(from_write)}
        self.process = subprocess.Popen(["bash", "-c", script, program, *arguments], env=environment,
                                        pass_fds=(to_read, from_write), stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(from_write)
        self.rest, self.last, self.events, self.session = b"", 0, [], None

    def receive(self):
        while b"\0" not in self.rest:
            more = os.read(self.from_read, 1 << 16)
            if not more:
                sys.exit(f"check-html: the browser ended early (status {self.process.wait()})")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to_write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    sys.exit(f"check-html: {method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while not any(e.get("method") == method for e in self.events):
            self.events.append(self.receive())

    def evaluate(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"]["value"]

    def open(self, url, width, scheme):
        self.session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")
        narrow = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=narrow)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")
        self.evaluate("0")  # What the load caused has been told before this is answered.

    def end(self):
        self.session = None
        os.write(self.to_write, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        self.process.wait(timeout=20)


def faults(browser, url, room):
    """What is wrong with the page as it is shown now."""
    found = []
    # Not innerWidth: on a narrow screen that grows with what does not fit.
    wide = browser.evaluate("document.documentElement.scrollWidth")
    if wide > room:
        found.append(f"it is {wide} pixels wide where {room} are there: something does not scroll in a box of its own")
    for event in browser.events:
        params = event.get("params", {})
        asked = params.get("request", {}).get("url", "") if event["method"] == "Network.requestWillBeSent" else ""
        if asked and asked != url and not asked.startswith("data:"):
            found.append(f"it asks for {asked}")
        if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            found.append(f"the console says: {json.dumps(params)[:300]}")
    lowest = browser.evaluate(CONTRAST)
    found += [f"contrast {ratio:.2f} in {key}: {text}" for key, ratio, text in lowest if ratio < 4.5]
    return found, lowest[0][1]


def pictures(browser, directory, name):
    """The first screen, and the whole page as far as a picture may be high."""
    height = min(browser.evaluate("document.documentElement.scrollHeight"), 16000)
    for suffix, tall in (("", 800), ("-whole", height)):
        clip = {"x": 0, "y": 0, "width": browser.evaluate("innerWidth"), "height": tall, "scale": 1}
        shot = browser.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)["data"]
        (directory / f"{name}{suffix}.png").write_bytes(base64.b64decode(shot))


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.strip().splitlines()[0])
    named = [os.environ["CHROMIUM"]] if os.environ.get("CHROMIUM") else BROWSERS
    program = next(filter(None, map(shutil.which, named)), None)
    if not program:
        sys.exit(f"check-html: {HOW}")
    page = pathlib.Path(sys.argv[1]).resolve()
    if not page.is_file():
        sys.exit(f"check-html: {page}: no such file; `amdahl report RUN` makes one")
    shots = pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else None
    if shots:
        shots.mkdir(parents=True, exist_ok=True)
    bad = 0
    with tempfile.TemporaryDirectory() as profile:
        browser = Browser(program, profile)
        for width, scheme in VIEWS:
            browser.open(page.as_uri(), width, scheme)
            found, lowest = faults(browser, page.as_uri(), width)
            bad += len(found)
            print(f"{width} px, {scheme}: " + ("; ".join(found) if found else f"fine, lowest contrast {lowest:.1f}"))
            if shots:
                pictures(browser, shots, f"{width}-{scheme}")
        if shots:
            pdf = browser.call("Page.printToPDF", preferCSSPageSize=True)["data"]
            (shots / "print.pdf").write_bytes(base64.b64decode(pdf))
        browser.end()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
