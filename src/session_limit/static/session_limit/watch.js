/*
Shows on an open page that its session has ended. The template tag {% session_limit_watch %}
loads it.

Only one tab of a browser listens, and it forwards what it receives to the other tabs. The
tab listens to an event stream, or polls the session's status if the stream does not work.
When the session has ended, this script pauses all media and shows a dialog that explains
why. It does not sign in, and it neither sends nor discards what a person has typed.
*/

/** @typedef {{step: string, label: string, url: string}} Action */
/**
 * The JSON with which the server reports the status of a session.
 * @typedef {{code: string, session?: string | undefined, reason?: string,
 *   heading?: string, detail?: string, ended_at?: string, actions?: Action[]}} Status
 */
/**
 * A message from the listening tab to the other tabs.
 * @typedef {{status?: Status, ended?: Status, changed?: true}} Message
 */
/**
 * The data attributes that the template tag writes on the script element.
 * @typedef {{
 *   sessionLimitStatus: string, sessionLimitEvents: string, sessionLimitEnded: string,
 *   sessionLimitStyle: string, sessionLimitSession: string, sessionLimitMode: string,
 *   sessionLimitHeading: string, sessionLimitDetail: string, sessionLimitSignIn: string,
 *   sessionLimitClose: string, sessionLimitUnsaved: string, sessionLimitCopy: string,
 *   sessionLimitCopied: string,
 * }} Settings
 */

/** @type {import("./shared.js").Shared} */
const { SECOND, addStyle, announce, element, settingsOf } =
  Reflect.get(globalThis, Symbol.for("session-limit.shared"));
const settings = /** @type {Settings} */ (settingsOf("status"));
// How long to wait for the first event of the stream. A proxy may hold the stream back.
const PATIENCE = 5 * SECOND;
// The server restarts every stream within a minute. If a stream is silent for longer than
// this, the connection has probably broken.
const SILENCE = 75 * SECOND;
// How long to wait between polls of a visible page, of a hidden page, and at most.
const POLL = 10 * SECOND, POLL_HIDDEN = 60 * SECOND, POLL_MAX = 120 * SECOND;
// How long to wait before opening a failed stream again. The delay begins short, because a
// server may be restarting, and then doubles up to the maximum.
const RETRY = 10 * SECOND, RETRY_MAX = 300 * SECOND;
// When the server becomes unreachable, pages spread their first poll over this time.
const SPREAD = 2 * SECOND;
// The machine has slept if the timer, set to TICK, fires only after SLEPT.
const TICK = 2 * SECOND, SLEPT = 10 * SECOND;

/** @type {string | undefined} */
let session = settings.sessionLimitSession;
/** Whether the session has ended. */
let over = false;
/** @type {"to say" | "said" | null} whether the explanation is due or has been shown */
let words = null;
/** @type {(() => void) | null} the function that stops listening */
let leave = null;
/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {HTMLElement | null} the line that remains when the dialog is closed */
let bar = null;
/** @type {BroadcastChannel | null} the channel to the other tabs */
let channel = null;

// --- Which tab listens --------------------------------------------------------------------

/** Start listening, or wait until no other tab listens. Sets `leave`, which undoes this. */
function listen() {
  leave?.();
  if (!navigator.locks || !window.BroadcastChannel) {
    leave = poll();
    return;
  }
  const left = new AbortController();
  let stop = () => {};
  let release = () => {};
  navigator.locks
    .request("session-limit", { signal: left.signal }, () => {
      stop = follow();
      /** @type {Promise<void>} */
      const released = new Promise((resolve) => { release = resolve; });
      return released;
    })
    .catch(() => {}); // aborted while another tab was listening
  leave = () => { left.abort(); stop(); release(); };
}

/** Send a message to the other tabs of this browser. */
function tellTabs(/** @type {Message} */ message) {
  channel?.postMessage(message);
}

/** Handle a message from another tab. */
function hear(/** @type {MessageEvent<Message>} */ { data }) {
  if (data.status) settle(data.status);
  else if (data.ended) begin(data.ended);
  else if (data.changed) announce(document, "session-limit:changed");
}

// --- Listening ----------------------------------------------------------------------------

/** Listen to the event stream, or poll while it fails. Return a function that stops both. */
function follow() {
  let stop = () => {}, wait = RETRY;
  const stream = () => {
    const source = new EventSource(settings.sessionLimitEvents);
    let watchdog = 0;
    const fall = () => {
      stop();
      const polling = poll(SPREAD * Math.random());
      const again = setTimeout(() => { stop(); stream(); }, about(wait));
      wait = Math.min(2 * wait, RETRY_MAX);
      stop = () => { polling(); clearTimeout(again); };
    };
    const expect = (/** @type {number} */ patience, /** @type {() => void} */ otherwise) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(otherwise, patience);
    };
    stop = () => { clearTimeout(watchdog); source.close(); };
    expect(PATIENCE, fall);
    source.addEventListener("live", () => {
      wait = RETRY;
      expect(SILENCE, () => { stop(); stream(); ask(); });
    });
    source.addEventListener("ended", ({ data }) => {
      stop();
      const ended = JSON.parse(data);
      tellTabs({ ended });
      begin(ended);
      ask();
    });
    source.addEventListener("changed", () => {
      tellTabs({ changed: true });
      announce(document, "session-limit:changed");
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) fall();
    });
  };
  stream();
  return () => stop();
}

/** Return a random delay near the given one, so that pages do not all poll at the same time. */
function about(/** @type {number} */ milliseconds) {
  return milliseconds * (0.8 + 0.4 * Math.random());
}

/** Poll at intervals, which grow while the server does not answer. Return a stop function. */
function poll(first = 0) {
  let timer = 0, wait = 0, stopped = false;
  const next = async () => {
    const answered = await ask();
    if (stopped || over) return;
    const usual = document.hidden ? POLL_HIDDEN : POLL;
    wait = answered ? usual : Math.min(2 * Math.max(wait, usual), POLL_MAX);
    timer = setTimeout(next, about(wait));
  };
  timer = setTimeout(next, first);
  return () => { stopped = true; clearTimeout(timer); };
}

/** Request the session's status and act on it. Return whether the server answered. */
async function ask() {
  try {
    const response = await fetch(settings.sessionLimitStatus, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
    // Do not check the HTTP status, because a site with automatic sign-in may answer 401.
    /** @type {Status} */
    const status = await response.json();
    if (!["live", "nobody", "session_ended"].includes(status.code)) return false;
    tellTabs({ status });
    settle(status);
    return true;
  } catch {
    if (over) say({ code: "" });
    return false;
  }
}

/** Update the page to the session's status. */
function settle(/** @type {Status} */ status) {
  if (status.code === "live") {
    const was = session;
    session = status.session;
    if (over) resume();
    if (was !== session) announce(document, "session-limit:renewed", status);
  } else {
    begin(status);
    say(status);
  }
}

// --- The end ------------------------------------------------------------------------------

/** Stop the page's media when the session has ended. The explanation may come later. */
function begin(/** @type {Status} */ status) {
  if (over) return;
  over = true;
  leave?.();
  leave = null;
  words = announce(document, "session-limit:ended", status, true) ? "to say" : null;
  if (words) pauseAll();
  // Another tab may have reported the end, and be closed before it can forward the reason.
  setTimeout(() => { if (words === "to say") ask(); }, PATIENCE);
}

/** Remove the explanation and listen again, after a sign-in in another tab. */
function resume() {
  over = false;
  words = null;
  dialog?.remove();
  bar?.remove();
  dialog = bar = null;
  listen();
}

function pauseAll() {
  for (const media of /** @type {NodeListOf<HTMLMediaElement>} */ (
    document.querySelectorAll("video, audio")
  )) media.pause();
}

/** Explain the end once, in the way that the template tag's mode selects. */
function say(/** @type {Status} */ status) {
  if (words !== "to say") return;
  words = "said";
  const text = unsaved();
  const mode = settings.sessionLimitMode;
  if (mode === "redirect" && !text && settings.sessionLimitEnded) {
    location.assign(backTo(settings.sessionLimitEnded));
  } else if (mode !== "event") {
    show(status, text);
  }
}

/** Return `url` with a `next` parameter that leads back to this page. */
function backTo(/** @type {string} */ url) {
  const target = new URL(url, location.href);
  target.searchParams.set("next", location.pathname + location.search);
  return target.href;
}

/** Return unsent text from the fields of this page, except for passwords and card numbers. */
function unsaved() {
  /** @type {NodeListOf<HTMLInputElement | HTMLTextAreaElement>} */
  const fields = document.querySelectorAll(
    "textarea, input:is(:not([type]), [type=text], [type=search], [type=email], [type=url])",
  );
  const lines = [];
  for (const field of fields) {
    const isSecret = /^(cc-|one-time|.*password)/.test(field.autocomplete);
    if (field.value !== field.defaultValue && field.value.trim() && !isSecret) {
      const label = field.labels?.[0]?.textContent.trim() || field.name;
      lines.push(label ? `${label}\n${field.value}` : field.value);
    }
  }
  /** @type {NodeListOf<HTMLElement>} */
  const editors = document.querySelectorAll("[contenteditable]:not([contenteditable=false])");
  for (const field of editors) {
    // biome-ignore lint/performance/useDomNodeTextContent: innerText keeps the visible line breaks.
    const text = field.innerText;
    if (text.trim()) lines.push(text);
  }
  return lines.join("\n\n");
}

// --- The dialog ---------------------------------------------------------------------------

/** Return links to the next steps that the server offers, or a link that reloads this page. */
function links(/** @type {Status} */ status) {
  /** @type {Action[]} */
  const known = status.actions ?? [
    { step: "sign_in", label: settings.sessionLimitSignIn, url: location.href },
  ];
  return known.map(({ step, label, url }, index) => {
    const isBack = ["use_here", "sign_in"].includes(step) && status.actions;
    return element("a", {
      className: index ? "session-limit-link" : "session-limit-button",
      href: isBack ? backTo(url) : url,
      textContent: label,
    });
  });
}

/** Show the dialog that explains why the session ended, with the unsent `text`. */
function show(/** @type {Status} */ status, /** @type {string} */ text) {
  addStyle(settings.sessionLimitStyle);
  const heading = element("h2", {
    id: "session-limit-over",
    className: "session-limit-heading",
    tabIndex: -1,
    textContent: status.heading ?? settings.sessionLimitHeading,
  });
  const close = element("button", {
    type: "button",
    className: "session-limit-button session-limit-plain",
    textContent: settings.sessionLimitClose,
  });
  const shown = element(
    "dialog",
    { className: "session-limit session-limit-dialog" },
    heading,
    element("p", { textContent: status.detail ?? settings.sessionLimitDetail }),
    text && kept(text),
    element("div", { className: "session-limit-actions" }, ...links(status), close),
  );
  dialog = shown;
  shown.setAttribute("aria-labelledby", heading.id);
  close.addEventListener("click", () => shown.close());
  // The page stays readable. A line at the bottom still says that the session has ended.
  shown.addEventListener("close", () => {
    bar ??= element(
      "div",
      { className: "session-limit session-limit-over", role: "status" },
      element("p", { textContent: heading.textContent }),
      links(status)[0],
    );
    document.body.append(bar);
    bar.querySelector("a")?.focus();
  });
  document.body.append(shown);
  shown.showModal();
  heading.focus();
}

/** Return a read-only field with the unsent `text` and a button that copies it. */
function kept(/** @type {string} */ text) {
  const area = element("textarea", {
    id: "session-limit-unsaved",
    className: "session-limit-input",
    readOnly: true,
    rows: 5,
    dir: "auto",
    value: text,
  });
  const copy = element("button", {
    type: "button",
    className: "session-limit-button session-limit-quiet session-limit-small",
    textContent: settings.sessionLimitCopy,
  });
  copy.addEventListener("click", async () => {
    area.select();
    // Where the script may not use the clipboard, a person can copy the selected text.
    await navigator.clipboard?.writeText(text).then(
      () => { copy.textContent = settings.sessionLimitCopied; },
      () => {},
    );
  });
  const label = element("label", {
    className: "session-limit-label",
    htmlFor: area.id,
    textContent: settings.sessionLimitUnsaved,
  });
  return element("div", { className: "session-limit-field" }, label, area, copy);
}

// --- Begin --------------------------------------------------------------------------------

function openChannel() {
  channel = window.BroadcastChannel ? new BroadcastChannel("session-limit") : null;
  channel?.addEventListener("message", hear);
}

function start() {
  openChannel();
  // Another tab of this browser may still show that the previous session has ended.
  tellTabs({ status: { code: "live", session } });
  listen();
}

if (settings.sessionLimitStatus) {
  start();
  addEventListener("play", ({ target }) => {
    if (words && target instanceof HTMLMediaElement) target.pause();
  }, true);
  addEventListener("online", ask);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
  let last = Date.now();
  setInterval(() => {
    const slept = Date.now() - last > SLEPT;
    last = Date.now();
    if (slept) {
      if (!over) listen();
      ask();
    }
  }, TICK);
  // A page in the back/forward cache must not keep the connection or the lock on listening.
  addEventListener("pagehide", () => { leave?.(); leave = null; channel?.close(); channel = null; });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    openChannel();
    if (!over) listen();
    ask();
  });
}
