/*
Tells an open page that its session has ended: {% session_limit_watch %}.

One tab of a browser listens and tells the others. It follows an event stream, or polls
the session's status if the stream cannot be used. When the session has ended, this script
pauses what plays and shows a dialog that says why. It signs nobody in, and it sends and
discards nothing.
*/

/** @typedef {{step: string, label: string, url: string}} Action */
/**
 * How a session stands, in JSON.
 * @typedef {{code: string, session?: string | undefined, reason?: string,
 *   heading?: string, detail?: string, ended_at?: string, actions?: Action[]}} Status
 */
/**
 * What the listening tab tells the others.
 * @typedef {{status?: Status, ended?: Status, changed?: true}} Message
 */
/**
 * The data attributes that the tag writes.
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
// How long the stream may take to report that it works. A proxy may hold it back.
const PATIENCE = 5 * SECOND;
// The server restarts a stream within a minute. After a longer silence, the connection has
// probably broken.
const SILENCE = 75 * SECOND;
// How often to poll without a stream: a visible page, a hidden page, and at most.
const POLL = 10 * SECOND, POLL_HIDDEN = 60 * SECOND, POLL_MAX = 120 * SECOND;
// When to retry a stream that could not be opened: soon at first, because a server may be
// restarting, and then less and less often.
const RETRY = 10 * SECOND, RETRY_MAX = 300 * SECOND;
// The time over which pages spread their first poll after the server went away.
const SPREAD = 2 * SECOND;
// A timer that fires this much later than planned means that the machine has slept.
const TICK = 2 * SECOND, SLEPT = 10 * SECOND;

/** @type {string | undefined} */
let session = settings.sessionLimitSession;
let over = false;
/** @type {"to say" | "said" | null} whether the explanation is due, or was shown */
let words = null;
/** @type {(() => void) | null} stops listening */
let leave = null;
/** @type {HTMLDialogElement | null} */
let dialog = null;
/** @type {HTMLElement | null} the line that stays after the dialog */
let bar = null;
/** @type {BroadcastChannel | null} to the other tabs */
let channel = null;

// --- Which tab listens --------------------------------------------------------------------

/** Start to listen, or wait for this tab's turn. Set `leave`. */
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
    .catch(() => {}); // aborted before it was this tab's turn
  leave = () => { left.abort(); stop(); release(); };
}

function tellTabs(/** @type {Message} */ message) {
  channel?.postMessage(message);
}

function hear(/** @type {MessageEvent<Message>} */ { data }) {
  if (data.status) settle(data.status);
  else if (data.ended) begin(data.ended);
  else if (data.changed) announce(document, "session-limit:changed");
}

// --- Listening ----------------------------------------------------------------------------

/** Follow the event stream, or poll while it cannot be used. Return a function that stops. */
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

/** Vary a delay, so that pages that were opened together do not ask together. */
function about(/** @type {number} */ milliseconds) {
  return milliseconds * (0.8 + 0.4 * Math.random());
}

/** Ask at intervals, which grow while nothing answers. Return a function that stops. */
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

/** Ask the server how the session stands and act on it. Return whether it answered. */
async function ask() {
  try {
    const response = await fetch(settings.sessionLimitStatus, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
    // Not judged by its HTTP status: a site with automatic sign-in answers scripts with 401.
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

/** Act on how the session stands. */
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

/** Act on the end of the session at once. The explanation may still have to be fetched. */
function begin(/** @type {Status} */ status) {
  if (over) return;
  over = true;
  leave?.();
  leave = null;
  words = announce(document, "session-limit:ended", status, true) ? "to say" : null;
  if (words) pauseAll();
  // The tab that reported the end may be closed before it has fetched the explanation.
  setTimeout(() => { if (words === "to say") ask(); }, PATIENCE);
}

/** Go on after another tab of this browser has signed in. */
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

/** Explain the end in the way that the page asked for, once. */
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

/** Add this page to `url`, as the place to return to. */
function backTo(/** @type {string} */ url) {
  const target = new URL(url, location.href);
  target.searchParams.set("next", location.pathname + location.search);
  return target.href;
}

/** Return the text that was typed on this page and not sent, without passwords and cards. */
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
    // biome-ignore lint/performance/useDomNodeTextContent: it keeps the lines that are seen.
    const text = field.innerText;
    if (text.trim()) lines.push(text);
  }
  return lines.join("\n\n");
}

// --- The dialog ---------------------------------------------------------------------------

/** Return links to the next steps that the server offers, or to this page's own sign-in. */
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
  // The page stays readable. A line at its end goes on to say that the session has ended.
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

/** Return a field from which unsent text can be copied. */
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
    // Without access to the clipboard, the selected text can be copied by hand.
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
  // Another tab of this browser may still show the end of the session before this one.
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
  // A page in the back/forward cache must hold neither a connection nor the tabs' lock.
  addEventListener("pagehide", () => { leave?.(); leave = null; channel?.close(); channel = null; });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    openChannel();
    if (!over) listen();
    ask();
  });
}
