/*
Makes what plays on a page take one of the account's places: {% session_limit_play %}.

Every element with data-session-limit-play="what" is guarded. A <video> or <audio> needs
nothing else. Another player dispatches "session-limit:play" and "session-limit:stop" on
its element when it begins and when it stops, and it begins and stops when the element
receives "session-limit:playing" and "session-limit:paused". A <video> or <audio> with its
address in data-session-limit-src gets that address once it may play, with the play's id
in place of "{play}".

A play is a lease. This script renews it, pauses the player if the lease was given to
another device or cannot be renewed, and gives the lease up when the player stops. It
displaces another play only after a person's click.
*/

/** @typedef {{play: string, device: string, started_at: string, is_here: boolean,
 *   swap: string | null}} Rival */
/**
 * The server's JSON about a play.
 * @typedef {{code: string, play?: string, interval?: number, lease?: number,
 *   reason?: string | undefined, heading?: string | undefined, detail?: string | undefined,
 *   rivals?: Rival[], retry_after?: number,
 *   actions?: {step: string, label: string, url: string | null}[]}} Answer
 */
/** @typedef {Answer & {play: string, interval: number, lease: number}} Granted */
/**
 * The data attributes that the tag writes on its script.
 * @typedef {{
 *   sessionLimitPlays: string, sessionLimitToken: string, sessionLimitCookie: string,
 *   sessionLimitClock: string, sessionLimitStyle: string, sessionLimitPaused: string,
 *   sessionLimitOffline: string, sessionLimitWatch: string, sessionLimitSwap: string,
 *   sessionLimitHere: string, sessionLimitDevice: string, sessionLimitSince: string,
 * }} Settings
 */

/** @type {import("./shared.js").Shared} */
const { SECOND, addStyle, announce, element, settingsOf } =
  Reflect.get(globalThis, Symbol.for("session-limit.shared"));
const settings = /** @type {Settings} */ (settingsOf("plays"));
const SELECTOR = "[data-session-limit-play]";
// How long something may play before the server has answered.
const PATIENCE = 10 * SECOND;
// When to retry a request that was not answered.
const RETRY = 2 * SECOND;
// A pause of up to this long keeps the place: a seek, an advertisement.
const PAUSE = 2 * SECOND;
const TICK = SECOND;
// In place of a play's id: nothing can be fetched with it, but a person can press play.
const NOTHING = "00000000-0000-0000-0000-000000000000";

/** @type {Map<Element, Play>} */
const plays = new Map();

/** One guarded element, and the play that it has. */
class Play {
  /** @type {string | null} the server's id of the play, once it has started */
  id = null;
  /** @type {string | null} identifies this start, so that a retry is not a second one */
  key = null;
  /** @type {string | null} the swap code of the play that this one ends */
  swap = null;
  /** It goes on by itself, and so displaces no other play. */
  resumes = false;
  asking = false;
  /** It was to ask again while it asked. */
  asksAgain = false;
  /** When it starts or renews its play next. */
  askAt = Infinity;
  /** When it must stop to play. */
  until = Infinity;
  /** When a paused play gives its place up. */
  stopAt = Infinity;
  /** It goes on by itself once the network is back. */
  waits = false;

  /** @type {HTMLElement | null} what says why it is paused */
  panel = null;
  /** The element's next "pause" event is about a pause of ours. */
  isOurs = false;
  /** The element's next "emptied" event is about a load of ours. */
  loads = false;
  /** @type {string | null} the key of a start that was never answered */
  unanswered = null;

  /** @param {HTMLElement} guarded */
  constructor(guarded) {
    this.element = guarded;
    this.media = guarded instanceof HTMLMediaElement ? guarded : null;
  }

  forget() {
    this.id = this.key = this.swap = null;
    this.resumes = this.asking = this.asksAgain = this.waits = false;
    this.askAt = this.until = this.stopAt = Infinity;
  }

  get isOn() {
    return this.key !== null;
  }

  /** Whether the element still waits for its address, and so has nothing to play. */
  get isEmpty() {
    return !this.id && this.address !== undefined;
  }

  get address() {
    return this.element.dataset.sessionLimitSrc;
  }

  /**
   * Start the play, because a person or the page has begun to play the element.
   *
   * @param {string | null} [swap]
   */
  begin(swap = null) {
    if (over) {
      this.pause();
      announce(this.element, "session-limit:paused", { code: "session_ended" });
      return;
    }
    this.stopAt = Infinity;
    if (!this.isOn) this.start({ swap });
    // The server has not answered yet.
    if (!this.id) this.until = Math.min(this.until, Date.now() + PATIENCE);
  }

  /** @param {{swap?: string | null, resumes?: boolean}} [options] */
  start({ swap = null, resumes = false } = {}) {
    const key = this.unanswered ?? randomKey();
    this.forget();
    this.key = key;
    this.swap = swap;
    this.resumes = resumes;
    this.ask();
  }

  /** Ask the server to start the play, or to renew it. */
  async ask() {
    this.asksAgain = this.asking;
    if (this.asking || !this.isOn) return;
    this.asking = true;
    this.askAt = Infinity;
    const { key, swap, resumes } = this;
    const begun = Date.now();
    const { status, answer } = this.id
      ? await post(`${settings.sessionLimitPlays}${this.id}/renew/`, {})
      : await post(settings.sessionLimitPlays, {
          what: this.element.dataset.sessionLimitPlay, key, swap, resumes,
        });
    if (this.key !== key) {
      // It was stopped meanwhile, so the place that it has just taken must be given up.
      if (isGranted(answer)) release(answer.play);
      return;
    }
    this.asking = false;
    const { asksAgain } = this;
    // An error page of the site is not our answer, whatever its status.
    if (isGranted(answer)) this.granted(answer, begun);
    else if (answer.code === "no_plays") this.forget();
    else if (status >= 400 && status < 500) this.refused(answer);
    else this.askAt = Date.now() + RETRY;
    if (asksAgain) this.ask();
  }

  granted(/** @type {Granted} */ answer, /** @type {number} */ begun) {
    const isNew = this.id === null;
    this.id = answer.play;
    this.unanswered = null;
    this.waits = false;
    // Counted from the request: the server's lease began no earlier.
    this.until = begun + answer.lease * SECOND;
    this.askAt = begun + answer.interval * SECOND;
    this.show(null);
    if (!isNew) return;
    announce(this.element, "session-limit:playing", answer);
    if (!this.media || this.stopAt !== Infinity) return;
    this.load();
    this.play();
  }

  /** Pause, because the account's places are taken or the session has ended. */
  refused(/** @type {Answer} */ answer) {
    const isLapsed = answer.reason === "lapsed" || answer.code === "not_found";
    this.unanswered = null;
    this.forget();
    this.pause();
    const shows = announce(this.element, "session-limit:paused", answer, true);
    // The lease had run out, and the place may still be free.
    if (isLapsed) this.start({ resumes: true });
    else if (shows) this.show(answer);
  }

  /** Pause, because the lease has run out and the server does not answer. */
  lapse() {
    // The server may have heard a start that it did not answer. A retry uses the same key.
    this.unanswered = this.id ? null : this.key;
    this.forget();
    this.pause();
    this.waits = true;
    const answer = { code: "offline", heading: settings.sessionLimitOffline };
    if (announce(this.element, "session-limit:paused", answer, true)) this.show(answer);
  }

  /** Stop without a panel of its own, because the session has ended or the page is left. */
  leave(/** @type {Answer} */ answer) {
    const was = this.isOn;
    if (over) this.forget();
    else this.stop();
    this.pause();
    if (was) announce(this.element, "session-limit:paused", answer);
  }

  pause() {
    if (this.media && !this.media.paused) {
      this.isOurs = true;
      this.media.pause();
    }
    // A film in full screen would hide the page that says why.
    if (document.fullscreenElement?.contains(this.element)) document.exitFullscreen();
    if (document.pictureInPictureElement === this.element) document.exitPictureInPicture();
  }

  play() {
    if (!this.media?.paused) return;
    // The browser may insist on a person's click. The play then gives its place up.
    this.media.play().catch(() => { this.stopAt = Date.now() + PAUSE; });
  }

  /** Set the element's address, which may contain the play's id for a proxy. */
  load() {
    if (!this.media || this.address === undefined) return;
    const src = this.address.replace("{play}", this.id ?? NOTHING);
    const at = this.media.currentTime;
    this.loads = this.media.networkState !== HTMLMediaElement.NETWORK_EMPTY;
    // Setting "src" loads too, so only one of the two is done.
    if (this.media.getAttribute("src") === src) this.media.load();
    else this.media.src = src;
    if (at) this.media.currentTime = at;
  }

  /** Give the place up at once. */
  stop() {
    const { id, key } = this;
    this.unanswered = null;
    this.forget();
    // Without an id yet: the server may grant the start before this page hears of it.
    if (id ?? key) release(id, key);
  }

  tick() {
    const now = Date.now();
    if (!this.element.isConnected) {
      // No event reports that an element was removed from the page.
      this.leave({ code: "removed" });
      plays.delete(this.element);
    } else if (now >= this.until) this.lapse();
    else if (now >= this.stopAt) this.stop();
    else if (now >= this.askAt) this.ask();
  }

  /** Ask again, because the connection may be back. */
  retry() {
    // It stays paused until the server has answered.
    if (this.waits && !this.isOn) {
      this.start({ resumes: true });
      this.waits = true;
    } else if (this.isOn) this.ask();
  }

  // --- The panel ------------------------------------------------------------------------

  /** Show why the element is paused, in place of an earlier panel. `null` removes that. */
  show(/** @type {Answer|null} */ answer) {
    const old = this.panel;
    const hadFocus = old?.contains(document.activeElement);
    this.panel = answer && this.panelOf(answer);
    if (this.panel) this.element.after(this.panel);
    old?.remove();
    if (!hadFocus) return;
    // A person who pressed a button of the earlier panel goes on from here.
    /** @type {HTMLElement | null | undefined} */
    const next = this.panel?.querySelector("button, a");
    (next ?? this.element).focus();
  }

  panelOf(/** @type {Answer} */ answer) {
    addStyle(settings.sessionLimitStyle);
    const { actions, rivals, retry_after: wait } = answer;
    // An answer without actions, such as a failed connection, may have passed by then.
    const watch = !actions || wait || actions.some(({ step }) => step === "watch_here");
    const detail = answer.detail ? element("p", { textContent: answer.detail }) : null;
    if (wait) setTimeout(() => detail?.remove(), wait * SECOND);
    return element(
      "div",
      { className: "session-limit session-limit-play", role: "alert" },
      element("p", {
        className: "session-limit-play-heading",
        textContent: answer.heading ?? settings.sessionLimitPaused,
      }),
      detail,
      rivals?.length && element("ul", { role: "list" }, ...rivals.map((r) => this.rival(r))),
      element(
        "div",
        { className: "session-limit-actions" },
        watch && this.button(settings.sessionLimitWatch, null, wait),
        ...(actions ?? []).map(({ label, url }) =>
          url && element("a", { className: "session-limit-link", href: url, textContent: label })),
      ),
    );
  }

  rival(/** @type {Rival} */ rival) {
    const began = new Date(rival.started_at);
    const language = document.documentElement.lang || undefined;
    const isToday = began.toDateString() === new Date().toDateString();
    const time = began.toLocaleString(language, {
      weekday: isToday ? undefined : "short", hour: "numeric", minute: "2-digit",
    });
    const device = rival.is_here ? settings.sessionLimitHere : rival.device || settings.sessionLimitDevice;
    const id = `session-limit-rival-${rival.play}`;
    return element(
      "li",
      {},
      element(
        "span",
        { id },
        element("bdi", { textContent: device }),
        " ",
        element("time", {
          className: "session-limit-fact",
          dateTime: rival.started_at,
          textContent: settings.sessionLimitSince.replace("{time}", time),
        }),
      ),
      rival.swap && this.button(settings.sessionLimitSwap, rival.swap, 0, id),
    );
  }

  /**
   * Return a button that starts the play.
   *
   * @param {string} text
   * @param {string | null} swap the code of the play to end
   * @param {number} [wait] the seconds until the button can be pressed
   * @param {string | null} [describedBy] the id of the element that describes it
   */
  button(text, swap, wait = 0, describedBy = null) {
    const made = element("button", {
      type: "button",
      className: "session-limit-button",
      textContent: text,
      disabled: wait > 0,
    });
    if (swap) made.classList.add("session-limit-quiet", "session-limit-small");
    if (describedBy) made.setAttribute("aria-describedby", describedBy);
    if (wait) setTimeout(() => { made.disabled = false; }, wait * SECOND);
    made.addEventListener("click", () => {
      // A person now asks for what would have gone on by itself, so it may displace.
      if (this.waits) this.forget();
      if (!this.isOn) this.begin(swap);
    });
    return made;
  }
}

// --- The server ---------------------------------------------------------------------------

/** @returns {answer is Granted} */
function isGranted(/** @type {Answer} */ answer) {
  return answer.code === "playing";
}

/**
 * Send JSON to the server.
 *
 * @param {string} url
 * @param {object} data
 * @param {boolean} [keepalive] send it even if the page is being left
 * @returns {Promise<{status: number, answer: Answer}>} status 0 if nothing answered
 */
async function post(url, data, keepalive = false) {
  try {
    const response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      cache: "no-store",
      keepalive,
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "X-CSRFToken": token(),
      },
      body: JSON.stringify(data),
      signal: keepalive ? null : AbortSignal.timeout(PATIENCE),
    });
    // An error page of the site is not our answer: a failed CSRF check, for example.
    const answer = await response.json().catch(() => ({ code: "" }));
    return { status: response.status, answer };
  } catch {
    return { status: 0, answer: { code: "" } };
  }
}

/** Return the CSRF token: the cookie's current one, if scripts can read the cookie. */
function token() {
  const name = `${settings.sessionLimitCookie}=`;
  const cookie = document.cookie.split("; ").find((pair) => pair.startsWith(name));
  return cookie ? cookie.slice(name.length) : settings.sessionLimitToken;
}

/**
 * Give a place up, even if the page is being left.
 *
 * @param {string | null} id
 * @param {string | null} [key]
 */
function release(id, key = null) {
  post(`${settings.sessionLimitPlays}${id ? `${id}/` : ""}stop/`, { key }, true);
}

// --- The page -----------------------------------------------------------------------------

let over = false;

function randomKey() {
  // Over plain HTTP there is no randomUUID().
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
}

/** Return the `Play` of a guarded element, or `null` for any other target of an event. */
function playOf(/** @type {EventTarget | null} */ target) {
  if (!(target instanceof HTMLElement) || !target.matches(SELECTOR)) return null;
  const play = plays.get(target) ?? new Play(target);
  plays.set(target, play);
  return play;
}

function each(/** @type {(play: Play) => void} */ act) {
  for (const play of plays.values()) act(play);
}

/** Call `act` each second, by a worker: browsers slow the timers of background pages. */
function everyTick(/** @type {() => void} */ act) {
  const byPage = () => setInterval(act, TICK);
  try {
    const clock = new Worker(settings.sessionLimitClock);
    clock.addEventListener("message", act);
    clock.addEventListener("error", byPage, { once: true });
    clock.postMessage(TICK);
  } catch {
    byPage();
  }
}

if (settings.sessionLimitPlays) {
  const begin = (/** @type {Event} */ { target }) => playOf(target)?.begin();
  const stop = (/** @type {Event} */ { target }) => playOf(target)?.stop();
  addEventListener("play", begin, true);
  addEventListener("session-limit:play", begin, true);
  addEventListener("ended", stop, true);
  addEventListener("session-limit:stop", stop, true);
  addEventListener("emptied", ({ target }) => {
    const play = playOf(target);
    if (!play) return;
    // The "pause" event that was due does not come any more.
    play.isOurs = false;
    if (play.loads) play.loads = false;
    else play.stop();
  }, true);
  addEventListener("pause", ({ target }) => {
    const play = playOf(target);
    if (play?.isOurs) play.isOurs = false;
    else if (play?.isOn && !play.isEmpty) play.stopAt = Date.now() + PAUSE;
  }, true);
  // Sooner than the next tick, after the machine has slept.
  addEventListener("timeupdate", ({ target }) => playOf(target)?.tick(), true);
  for (const found of document.querySelectorAll(`:is(video, audio)${SELECTOR}`)) {
    const play = playOf(found);
    if (!play?.media) continue;
    const { media } = play;
    const isLater = play.address !== undefined && !media.hasAttribute("src");
    // It plays already, or would by itself with an address.
    if (!media.paused || (isLater && media.autoplay)) play.begin();
    else if (isLater) {
      media.preload = "none";
      play.load();
    }
  }
  everyTick(() => each((play) => play.tick()));
  addEventListener("online", () => each((play) => play.retry()));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) each((play) => { play.tick(); play.retry(); });
  });
  // From watch.js: one of this session's plays may have ended.
  document.addEventListener("session-limit:changed", () => each((play) => play.ask()));
  document.addEventListener("session-limit:ended", (event) => {
    over = true;
    const { code, reason, heading, detail } =
      /** @type {CustomEvent<Answer>} */ (event).detail ?? {};
    // After the project's own listeners, which may prevent it and pause by themselves.
    queueMicrotask(() => each((play) => {
      if (event.defaultPrevented) play.forget();
      else play.leave({ code, reason, heading, detail });
    }));
  });
  document.addEventListener("session-limit:renewed", () => { over = false; });
  addEventListener("pagehide", () => each((play) => play.leave({ code: "left" })));
}
