// The live view of a computer's desktop: noVNC, and what a person needs around it. Bundled with noVNC into /viewer/novnc.js.
//
// 1. connects to the socket that the page names, with the page's token;
// 2. when that ends, says why (the close code tells) and tries again, less and less often: a restarted server, a lost network and a computer that is
//    started again all come back without a click. Only a token that is over does not.
import RFB from "@novnc/novnc";

const NOT_ALLOWED = 4401;
const NOT_RUNNING = 4409;
const TOO_MANY = 1013;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 15000;
const STOPPED_WAIT = 4000;

const $ = id => document.getElementById(id);
const { socket: path, token, control } = document.body.dataset;
const mayControl = control === "yes";
const address = `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}?token=${encodeURIComponent(token)}`;

let rfb = null;
let failures = 0;
let timer = 0;
let fits = true;
let resizes = false;

function show(state, title, text = "", waits = false) {
  document.body.dataset.state = state;
  $("state").textContent = title;
  $("cover").hidden = state === "connected";
  $("title").textContent = title;
  $("text").textContent = text;
  $("wait").hidden = !waits;
}

function connect() {
  clearTimeout(timer);
  show("connecting", failures === 0 ? "Connecting" : "Reconnecting", "", true);
  // Made here and not by noVNC, which does not tell with which code a socket was closed.
  const socket = new WebSocket(address, ["binary"]);
  let closed = { code: 0, reason: "" };
  socket.addEventListener("close", e => { closed = e; });
  rfb = new RFB($("screen"), socket, { shared: true });
  rfb.viewOnly = !mayControl;
  rfb.scaleViewport = fits;
  rfb.resizeSession = resizes;
  rfb.background = "transparent";
  rfb.addEventListener("connect", () => {
    failures = 0;
    show("connected", "Connected");
    rfb.focus({ preventScroll: true });
  });
  rfb.addEventListener("clipboard", e => received(e.detail.text));
  rfb.addEventListener("securityfailure", e => { closed = { code: 0, reason: e.detail.reason ?? "" }; });
  rfb.addEventListener("disconnect", () => ended(closed.code, closed.reason));
}

function ended(code, reason) {
  rfb = null;
  failures++;
  if (code === NOT_ALLOWED) {
    show("ended", "This link has ended", "It was revoked, or its time is over. Ask whoever gave it to you for a new one.");
    return;
  }
  let wait = Math.min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT);
  if (code === NOT_RUNNING) {
    wait = STOPPED_WAIT;
    show("stopped", "The computer is not running", `${spoken(reason)}This page shows it as soon as it runs.`);
  } else {
    show("retrying", code === TOO_MANY ? "The desktop is not available" : "The connection ended", reason || "Trying again.", true);
  }
  // Not all viewers at the same moment.
  timer = setTimeout(connect, wait * (0.75 + Math.random() / 2));
}

// The server's reason, without the call that would help a program.
function spoken(reason) {
  const text = reason.replace(/\s*\((?:GET|POST)[^)]*\)/g, "");
  return text ? text[0].toUpperCase() + text.slice(1) + ". " : "";
}

// What is copied on the computer goes into the box, and into this machine's clipboard where the browser allows it.
async function received(text) {
  $("copied").value = text;
  try {
    await navigator.clipboard?.writeText(text);
  } catch {
    // Not allowed, or not in front: the box has it.
  }
}

function send(text) {
  rfb?.clipboardPasteFrom(text);
}

// And what was copied here is on the computer by the time that somebody comes back to this page.
async function bring() {
  if (!mayControl || !rfb || document.activeElement === $("copied"))
    return;
  try {
    const permission = await navigator.permissions?.query({ name: "clipboard-read" });
    if (permission?.state !== "granted")
      return;
    const text = await navigator.clipboard.readText();
    if (text && text !== $("copied").value) {
      $("copied").value = text;
      send(text);
    }
  } catch {
    // This browser asks each time, or does not know the permission: the box is the way.
  }
}

function toggle(button, act) {
  $(button)?.addEventListener("click", () => {
    const on = $(button).getAttribute("aria-pressed") !== "true";
    $(button).setAttribute("aria-pressed", String(on));
    act(on);
  });
}

toggle("fit", on => { fits = on; if (rfb) { rfb.scaleViewport = on; rfb.clipViewport = false; } });
toggle("resize", on => { resizes = on; if (rfb) rfb.resizeSession = on; });
toggle("clipboard", on => { $("paste").hidden = !on; if (on) $("copied").focus(); });
$("paste").addEventListener("submit", e => {
  e.preventDefault();
  send($("copied").value);
  rfb?.focus({ preventScroll: true });
});
$("full").addEventListener("click", () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen());
addEventListener("focus", bring);
// A phone that slept, a cable that was pulled: no need to wait for the timer.
addEventListener("online", () => { if (!rfb) connect(); });

connect();
