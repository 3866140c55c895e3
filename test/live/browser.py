#!/usr/bin/env python3
"""browser.py - opens pages in headless Chromium, as chromedriver drives it, and says what is wrong with them.

    browser.py check --axe AXE.js DIR PAGE...     each PAGE of DIR at 360 and 1280 pixels, in light and in dark
    browser.py shot [--width N] [--height N] [--dark] [--scale X] PAGE OUT.png
    browser.py print PAGE OUT.pdf                 as a reader prints it whose screen is dark

check serves DIR on a loopback port, counts what the browser asks for, and prints one line for each fault; no line and exit
code 0: there is none. Needs chromium and chromium-driver, and of Python its standard library alone.
"""
import argparse
import base64
import functools
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

WIDTHS = (360, 1280)
MODES = ("light", "dark")


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a directory and remembers what was asked for."""

    asked = []

    def do_GET(self):
        self.asked.append(self.path)
        super().do_GET()

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *args):
        pass


def serve(directory):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class Browser:
    """A session of chromedriver's; use it in a with statement."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="sfb-browser-")
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True,
                                       stderr=subprocess.DEVNULL, env={**os.environ, "TMPDIR": self.profile.name})
        try:
            self.base = "http://127.0.0.1:%d" % self.port()
            self.session = "/session/" + self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "goog:chromeOptions": {"args": [
                    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                    "--user-data-dir=" + self.profile.name]},
            }}})["sessionId"]
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *args):
        try:
            if hasattr(self, "session"):
                self.call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()
            self.profile.cleanup()

    def port(self):
        for line in self.driver.stdout:  # "ChromeDriver was started successfully on port 40331."
            if "started successfully on port" in line:
                return int(line.rstrip(".\n").split()[-1])
        raise SystemExit("browser.py: chromedriver does not start")

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, method=method, headers={"Content-Type": "application/json"},
                                         data=None if body is None else json.dumps(body).encode())
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as e:
            raise SystemExit("browser.py: %s %s: %s" % (method, path, json.load(e)["value"]["message"])) from e

    def cdp(self, command, **params):
        return self.call("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script, wait=False):
        return self.call("POST", self.session + ("/execute/async" if wait else "/execute/sync"),
                         {"script": script, "args": []})

    def log(self, kind):
        return self.call("POST", self.session + "/se/log", {"type": kind})

    def show(self, url, width, mode, height=800, scale=1):
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": mode}])
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale,
                 mobile=width < 600)
        self.call("POST", self.session + "/url", {"url": url})


def requests(browser):
    """What the page asked the network for since the last call; data: is no network, chrome: is the browser's own."""
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            if not url.startswith(("data:", "chrome:")):
                yield url


AXE = """
const done = arguments[arguments.length - 1];
const say = (v, nodes) => v.id + ": " + v.help + ": " + nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary).join(" | ");
axe.run(document, {preload: false, resultTypes: ["violations", "incomplete"]}).then(
    r => done(r.violations.map(v => say(v, v.nodes)).concat(r.incomplete.filter(v => v.id === "color-contrast").map(
        v => [v, v.nodes.filter(n => !n.html.startsWith("<text"))]).filter(([v, nodes]) => nodes.length > 0).map(
        ([v, nodes]) => say(v, nodes)))),
    e => done(["axe-core itself: " + e]));
"""

# axe-core does not know the ground behind a chart's letters: it is the page's.
CONTRAST = """
const light = c => { const [r, g, b] = c.match(/[0-9.]+/g).slice(0, 3).map(Number).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = light(getComputedStyle(document.body).backgroundColor);
return Array.from(document.querySelectorAll("svg text")).map(t => { const l = light(getComputedStyle(t).fill);
    return [(Math.max(l, ground) + 0.05) / (Math.min(l, ground) + 0.05), t.outerHTML]; }).filter(([c, t]) => c < 4.5)
    .slice(0, 3).map(([c, t]) => c.toFixed(2) + " " + t);
"""

WIDE = """
return Array.from(document.querySelectorAll("body *")).filter(e => e.getBoundingClientRect().right > innerWidth + 0.5)
    .slice(0, 3).map(e => e.outerHTML.slice(0, 120));
"""


def check_view(browser, url, width, mode, axe):
    browser.log("browser")
    list(requests(browser))
    Server.asked.clear()
    browser.show(url, width, mode)
    for message in browser.log("browser"):
        yield "the console says: " + message["message"]
    for asked in requests(browser):
        if asked != url:
            yield "it asks for " + asked
    if len(Server.asked) != 1:
        yield "the server was asked for " + " ".join(Server.asked)
    if browser.run("return document.documentElement.scrollWidth") > width:
        yield "it is wider than the screen: " + str(browser.run(WIDE))
    dark = browser.run("return getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    if dark != (mode == "dark"):
        yield "its ground is not %s" % mode
    if browser.run("return document.scripts.length + document.querySelectorAll('[onload],[onerror]').length") != 0:
        yield "it has scripts"
    for letters in browser.run(CONTRAST):
        yield "letters of a chart have too little contrast: " + letters
    browser.run(axe)
    yield from browser.run(AXE, wait=True)


def check(args):
    axe = pathlib.Path(args.axe).read_text(encoding="utf-8")
    server = serve(args.directory)
    faults = 0
    with Browser() as browser:
        browser.call("POST", browser.session + "/timeouts", {"script": 120000})
        for page in args.pages:
            url = "http://127.0.0.1:%d/%s" % (server.server_port, page)
            for width in WIDTHS:
                for mode in MODES:
                    for fault in check_view(browser, url, width, mode, axe):
                        print("%s, %d pixels, %s: %s" % (page, width, mode, fault))
                        faults += 1
    server.shutdown()
    return 1 if faults else 0


def shot(args):
    with Browser() as browser:
        browser.show(pathlib.Path(args.page).resolve().as_uri(), args.width, "dark" if args.dark else "light",
                     scale=args.scale)
        height = args.height or browser.cdp("Page.getLayoutMetrics")["cssContentSize"]["height"]
        clip = {"x": 0, "y": 0, "width": args.width, "height": height, "scale": 1}
        picture = browser.cdp("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        pathlib.Path(args.out).write_bytes(base64.b64decode(picture["data"]))
    return 0


def to_paper(args):
    with Browser() as browser:
        browser.show(pathlib.Path(args.page).resolve().as_uri(), 1280, "dark")
        pages = browser.cdp("Page.printToPDF", paperWidth=8.27, paperHeight=11.69)
        pathlib.Path(args.out).write_bytes(base64.b64decode(pages["data"]))
    return 0


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("check")
    one.add_argument("--axe", required=True)
    one.add_argument("directory")
    one.add_argument("pages", nargs="+")
    one.set_defaults(run=check)
    one = commands.add_parser("shot")
    one.add_argument("--width", type=int, default=1000)
    one.add_argument("--height", type=int, default=0)
    one.add_argument("--scale", type=float, default=1)
    one.add_argument("--dark", action="store_true")
    one.add_argument("page")
    one.add_argument("out")
    one.set_defaults(run=shot)
    one = commands.add_parser("print")
    one.add_argument("page")
    one.add_argument("out")
    one.set_defaults(run=to_paper)
    args = parser.parse_args()
    return args.run(args)


if __name__ == "__main__":
    sys.exit(main())
