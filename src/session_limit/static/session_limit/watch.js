/*
An open page learns that its session is over: {% session_limit_watch %}.

One tab of a browser listens, to an event stream or, where that cannot be had, by asking
every so often; it tells the others. When the session has ended, what plays is stopped, and
a dialog says why. Nothing is signed in, sent or thrown away by itself.
*/

/** @typedef {{label: string, step: string, url: string}} Action */
/** @typedef {{code: string, session?: string, reason?: string, heading?: string,
      detail?: string, ended_at?: string, actions?: Action[]}} Status */

const settings = document.querySelector("script[data-session-limit-status]")?.dataset ?? {};
const SECOND = 1000;
// How long the stream may take to say that it is there: a proxy may keep it to itself.
const PATIENCE = 5 * SECOND;
// It is made anew within a minute; where it is not, nobody may be at its other end.
const SILENCE = 75 * SECOND;
// How often is asked where there is no stream: by who is looked at, and by others.
const POLL = 10 * SECOND, POLL_HIDDEN = 60 * SECOND, POLL_MOST = 120 * SECOND;
// When to try again after the stream could not be opened: soon at first, because a server
// may be about to come back, and then less and less often.
const AGAIN = 10 * SECOND, AGAIN_MOST = 300 * SECOND;
// Over how long the pages of a server that is away ask for the first time.
const SPREAD = 2 * SECOND;
// A timer that comes so much later than it was to has slept.
const TICK = 2 * SECOND, SLEPT = 10 * SECOND;

let session = settings.sessionLimitSession;
let over = false, words = null, leave = null, dialog = null, bar = null;
let channel = null;

// --- Who listens: one tab for all of them -------------------------------------------------

function listen() {
  leave?.();
  if (!navigator.locks || !window.BroadcastChannel) {
    leave = poll();
    return;
  }
  const gone = new AbortController();
  let stop = () => {};
  let release = () => {};
  navigator.locks
    .request("session-limit", { signal: gone.signal }, () => {
      stop = follow();
      return new Promise((resolve) => { release = resolve; });
    })
    .catch(() => {}); // it was not its turn yet
  leave = () => { gone.abort(); stop(); release(); };
}

function tellTabs(message) {
  channel?.postMessage(message);
}

function hear({ data }) {
  if (data.status) settle(data.status);
  else if (data.ended) begin(data.ended);
  else if (data.changed) announce("session-limit:changed");
}

// --- Listening ----------------------------------------------------------------------------

/** Follow the event stream; ask where it cannot be had. Return what ends that. */
function follow() {
  let stop = () => {}, wait = AGAIN;
  const stream = () => {
    const source = new EventSource(settings.sessionLimitEvents);
    let watchdog = 0;
    const fall = () => {
      stop();
      const polling = poll(SPREAD * Math.random());
      const again = setTimeout(() => { stop(); stream(); }, about(wait));
      wait = Math.min(2 * wait, AGAIN_MOST);
      stop = () => { polling(); clearTimeout(again); };
    };
    const expect = (patience, otherwise) => {
      clearTimeout(watchdog);
      watchdog = setTimeout(otherwise, patience);
    };
    stop = () => { clearTimeout(watchdog); source.close(); };
    expect(PATIENCE, fall);
    source.addEventListener("live", () => {
      wait = AGAIN;
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
      announce("session-limit:changed");
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) fall();
    });
  };
  stream();
  return () => stop();
}

/** Return about `milliseconds`: pages that were opened together do not ask together. */
function about(milliseconds) {
  return milliseconds * (0.8 + 0.4 * Math.random());
}

/** Ask every so often, less often while nothing answers. Return what ends that. */
function poll(first = 0) {
  let timer = 0, wait = 0, stopped = false;
  const next = async () => {
    const answered = await ask();
    if (stopped || over) return;
    const usual = document.hidden ? POLL_HIDDEN : POLL;
    wait = answered ? usual : Math.min(2 * Math.max(wait, usual), POLL_MOST);
    timer = setTimeout(next, about(wait));
  };
  timer = setTimeout(next, first);
  return () => { stopped = true; clearTimeout(timer); };
}

/** Ask how the session stands, and act on it; return whether anybody answered. */
async function ask() {
  try {
    const response = await fetch(settings.sessionLimitStatus, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });
    // A site where signing in happens by itself answers 401, as it does to any script.
    const status = await response.json();
    if (!["live", "nobody", "session_ended"].includes(status.code)) return false;
    tellTabs({ status });
    settle(status);
    return true;
  } catch {
    if (over) say({});
    return false;
  }
}

/** Act on how the session stands. */
function settle(/** @type {Status} */ status) {
  if (status.code === "live") {
    const was = session;
    session = status.session;
    if (over) resume();
    if (was !== session) announce("session-limit:renewed", status);
  } else {
    begin(status);
    say(status);
  }
}

function announce(name, detail, cancelable = false) {
  return document.dispatchEvent(new CustomEvent(name, { detail, cancelable }));
}

// --- The end ------------------------------------------------------------------------------

/** It is over: at once, and before anybody knows the words for it. */
function begin(/** @type {Status} */ status) {
  if (over) return;
  over = true;
  leave?.();
  leave = null;
  words = announce("session-limit:ended", status, true) ? "to say" : null;
  if (words) pauseAll();
  // Should the tab that has told of it be gone before it knows the words.
  setTimeout(() => { if (words === "to say") ask(); }, PATIENCE);
}

/** The browser is signed in again: by another of its tabs. */
function resume() {
  over = false;
  words = null;
  dialog?.remove();
  bar?.remove();
  dialog = bar = null;
  listen();
}

function pauseAll() {
  for (const media of document.querySelectorAll("video, audio")) media.pause();
}

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

/** Return `url`, which leads back to this page. */
function backTo(url) {
  const target = new URL(url, location.href);
  target.searchParams.set("next", location.pathname + location.search);
  return target.href;
}

/** Return what was written on this page and not sent: no passwords, no cards. */
function unsaved() {
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
  for (const field of document.querySelectorAll("[contenteditable]:not([contenteditable=false])")) {
    if (field.innerText.trim()) lines.push(field.innerText);
  }
  return lines.join("\n\n");
}

// --- The dialog ---------------------------------------------------------------------------

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter(Boolean));
  return made;
}

/** Return links to what may be done next. */
function links(/** @type {Status} */ status) {
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

function show(/** @type {Status} */ status, text) {
  if (settings.sessionLimitStyle && !document.querySelector(`link[href="${settings.sessionLimitStyle}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href: settings.sessionLimitStyle }));
  }
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
  dialog = element(
    "dialog",
    { className: "session-limit session-limit-dialog" },
    heading,
    element("p", { textContent: status.detail ?? settings.sessionLimitDetail }),
    text && kept(text),
    element("div", { className: "session-limit-actions" }, ...links(status), close),
  );
  dialog.setAttribute("aria-labelledby", heading.id);
  close.addEventListener("click", () => dialog.close());
  // The page can be read on, and says what it is worth.
  dialog.addEventListener("close", () => {
    bar ??= element(
      "div",
      { className: "session-limit session-limit-over", role: "status" },
      element("p", { textContent: heading.textContent }),
      links(status)[0],
    );
    document.body.append(bar);
    bar.querySelector("a")?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  heading.focus();
}

function kept(text) {
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
    // Where the clipboard is not to be had, what is selected can be copied by hand.
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

function start() {
  channel = window.BroadcastChannel ? new BroadcastChannel("session-limit") : null;
  channel?.addEventListener("message", hear);
  // Another tab of this browser may show the end of the session before this one.
  tellTabs({ status: { code: "live", session } });
  listen();
}

if (settings.sessionLimitStatus) {
  start();
  addEventListener("play", ({ target }) => { if (words) target.pause(); }, true);
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
  // A page in the back/forward cache holds neither a connection nor its turn.
  addEventListener("pagehide", () => { leave?.(); leave = null; channel?.close(); channel = null; });
  addEventListener("pageshow", ({ persisted }) => {
    if (!persisted) return;
    channel = window.BroadcastChannel ? new BroadcastChannel("session-limit") : null;
    channel?.addEventListener("message", hear);
    if (!over) listen();
    ask();
  });
}
