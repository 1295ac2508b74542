/*
What plays on this page takes one of the account's places: {% session_limit_play %}.

Every element with data-session-limit-play="what" is guarded. A <video> or <audio> is by
itself; any other player says "session-limit:play" and "session-limit:stop" on its element
when it begins and when it stops, and begins and stops when the element hears
"session-limit:playing" and "session-limit:paused". A <video> or <audio> that has its address
in data-session-limit-src is given it once it may play, with the play's id for "{play}".

A play is a lease: it is renewed, pauses when it has gone elsewhere or cannot be renewed, and
is given up when it stops. Nothing is displaced without a person's click.
*/

/** @typedef {{play: string, device: string, started_at: string, is_here: boolean,
      swap: string|null}} Rival */
/** @typedef {{code: string, play?: string, interval?: number, lease?: number,
      reason?: string, heading?: string, detail?: string, rivals?: Rival[],
      retry_after?: number,
      actions?: {step: string, label: string, url: string|null}[]}} Answer */

const settings = document.querySelector("script[data-session-limit-plays]")?.dataset ?? {};
const SELECTOR = "[data-session-limit-play]";
const SECOND = 1000;
// How long something may play that nobody has answered for yet.
const PATIENCE = 10 * SECOND;
// When is asked again that was not answered.
const AGAIN = 2 * SECOND;
// What is paused for no longer keeps its place: a seek, an advertisement.
const PAUSE = 2 * SECOND;
const TICK = SECOND;
// Nothing is there, but a person can press play.
const NOTHING = "00000000-0000-0000-0000-000000000000";

/** @type {Map<Element, Play>} */
const plays = new Map();

class Play {
  constructor(element) {
    this.element = element;
    this.isMedia = element instanceof HTMLMediaElement;
    this.panel = null;
    this.isOurs = false; // the pause that its element is about to tell of
    this.loads = false; // its element is about to tell that it was emptied, by us
    this.again = null; // the key of a start that was never answered
    this.forget();
  }

  forget() {
    this.id = null; // the server's, once it has one
    this.key = null; // of this start: a retry of it is no other
    this.swap = null; // the code of the play that it ends
    this.resumes = false; // it goes on by itself, and displaces nobody
    this.asking = false;
    this.news = false; // there was some while it was asked
    this.askAt = Infinity; // when it is started or renewed next
    this.until = Infinity; // when it may play no more
    this.stopAt = Infinity; // when it gives its place up, being paused
    this.waits = false; // for the network, to go on by itself
  }

  get isOn() {
    return this.key !== null;
  }

  /** Whether it is to be given its address: there is nothing to be had before. */
  get isEmpty() {
    return !this.id && this.address !== undefined;
  }

  get address() {
    return this.element.dataset.sessionLimitSrc;
  }

  /** Somebody, or the page, has begun to play it. */
  begin(swap = null) {
    if (over) {
      this.pause();
      announce(this.element, "session-limit:paused", { code: "session_ended" });
      return;
    }
    this.stopAt = Infinity;
    if (!this.isOn) this.start({ swap });
    // Nobody has answered for it yet.
    if (!this.id) this.until = Math.min(this.until, Date.now() + PATIENCE);
  }

  start({ swap = null, resumes = false } = {}) {
    const key = this.again ?? randomKey();
    this.forget();
    this.key = key;
    this.swap = swap;
    this.resumes = resumes;
    this.ask();
  }

  /** Start it, or renew it. */
  async ask() {
    this.news = this.asking;
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
      // It was stopped meanwhile, and its place has just been taken for nobody.
      if (answer.code === "playing") release(answer.play);
      return;
    }
    this.asking = false;
    const { news } = this;
    // A page of the site's own is no answer of ours, whatever its status.
    if (answer.code === "playing") this.granted(answer, begun);
    else if (answer.code === "no_plays") this.forget();
    else if (status >= 400 && status < 500) this.refused(answer);
    else this.askAt = Date.now() + AGAIN;
    if (news) this.ask();
  }

  granted(/** @type {Answer} */ answer, begun) {
    const isNew = this.id === null;
    this.id = answer.play;
    this.again = null;
    this.waits = false;
    // From when it was asked: the server's lease began no earlier.
    this.until = begun + answer.lease * SECOND;
    this.askAt = begun + answer.interval * SECOND;
    this.show(null);
    if (!isNew) return;
    announce(this.element, "session-limit:playing", answer);
    if (!this.isMedia || this.stopAt !== Infinity) return;
    this.load();
    this.play();
  }

  /** It may not play: others do, or its session is over. */
  refused(/** @type {Answer} */ answer) {
    const isLapsed = answer.reason === "lapsed" || answer.code === "not_found";
    this.again = null;
    this.forget();
    this.pause();
    const shows = announce(this.element, "session-limit:paused", answer, true);
    // Its time was up, and perhaps nobody has taken the place.
    if (isLapsed) this.start({ resumes: true });
    else if (shows) this.show(answer);
  }

  /** Its lease is over, and nobody answers. */
  lapse() {
    // A start that nobody has answered may have been heard: it is the same one later.
    this.again = this.id ? null : this.key;
    this.forget();
    this.pause();
    this.waits = true;
    const answer = { code: "offline", heading: settings.sessionLimitOffline };
    if (announce(this.element, "session-limit:paused", answer, true)) this.show(answer);
  }

  /** Its session is over, or its page is left: what says why is elsewhere. */
  leave(/** @type {Answer} */ answer) {
    const was = this.isOn;
    if (over) this.forget();
    else this.stop();
    this.pause();
    if (was) announce(this.element, "session-limit:paused", answer);
  }

  pause() {
    if (this.isMedia && !this.element.paused) {
      this.isOurs = true;
      this.element.pause();
    }
    // Nobody sees a page behind a film.
    if (document.fullscreenElement?.contains(this.element)) document.exitFullscreen();
    if (document.pictureInPictureElement === this.element) document.exitPictureInPicture();
  }

  play() {
    if (!this.element.paused) return;
    // The browser may want a person's click: then it gives its place up, paused.
    this.element.play().catch(() => { this.stopAt = Date.now() + PAUSE; });
  }

  /** Give it its address, which may contain the play that a proxy asks for. */
  load() {
    if (this.address === undefined) return;
    const src = this.address.replace("{play}", this.id ?? NOTHING);
    const at = this.element.currentTime;
    this.loads = this.element.networkState !== HTMLMediaElement.NETWORK_EMPTY;
    // Either loads it, once.
    if (this.element.getAttribute("src") === src) this.element.load();
    else this.element.src = src;
    if (at) this.element.currentTime = at;
  }

  /** It stops: its place is free at once. */
  stop() {
    const { id, key } = this;
    this.again = null;
    this.forget();
    // It may take its place before this page has heard of it.
    if (id ?? key) release(id, key);
  }

  tick() {
    const now = Date.now();
    if (!this.element.isConnected) {
      // Taken out of the page, which is told to nobody.
      this.leave({ code: "removed" });
      plays.delete(this.element);
    } else if (now >= this.until) this.lapse();
    else if (now >= this.stopAt) this.stop();
    else if (now >= this.askAt) this.ask();
  }

  /** The connection may be there again. */
  retry() {
    // Until it is answered it stays as it is, paused.
    if (this.waits && !this.isOn) {
      this.start({ resumes: true });
      this.waits = true;
    } else if (this.isOn) this.ask();
  }

  // --- What is said ---------------------------------------------------------------------

  show(/** @type {Answer|null} */ answer) {
    const old = this.panel;
    const hadFocus = old?.contains(document.activeElement);
    this.panel = answer && this.panelOf(answer);
    if (this.panel) this.element.after(this.panel);
    old?.remove();
    // Who has pressed a button there goes on from here.
    if (hadFocus) (this.panel?.querySelector("button, a") ?? this.element).focus();
  }

  panelOf(/** @type {Answer} */ answer) {
    style();
    const { actions, rivals, retry_after: wait } = answer;
    // What is no answer of ours may be over by the next click.
    const watch = !actions || wait || actions.some(({ step }) => step === "watch_here");
    const detail = answer.detail && element("p", { textContent: answer.detail });
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
        ...(actions ?? []).filter(({ url }) => url).map(({ label, url }) =>
          element("a", { className: "session-limit-link", href: url, textContent: label })),
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
      // One that waits for the network is asked for anew: by a person now.
      if (this.waits) this.forget();
      if (!this.isOn) this.begin(swap);
    });
    return made;
  }
}

// --- The server ---------------------------------------------------------------------------

/** @returns {Promise<{status: number, answer: Answer}>} status 0: nobody has answered */
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
      signal: keepalive ? undefined : AbortSignal.timeout(PATIENCE),
    });
    const answer = await response.json().catch(() => ({ code: "" }));
    // A page of the site's own is no answer of ours: that it is forbidden, say.
    return { status: response.status, answer };
  } catch {
    return { status: 0, answer: { code: "" } };
  }
}

/** Return what tells that this site's own page asks: as it is now, where it can be read. */
function token() {
  const name = `${settings.sessionLimitCookie}=`;
  const cookie = document.cookie.split("; ").find((each) => each.startsWith(name));
  return cookie ? cookie.slice(name.length) : settings.sessionLimitToken;
}

/** Give a place up. It goes out even as the page does. */
function release(id, key = null) {
  post(`${settings.sessionLimitPlays}${id ? `${id}/` : ""}stop/`, { key }, true);
}

// --- The page -----------------------------------------------------------------------------

let over = false;

function randomKey() {
  // Over plain HTTP there is no randomUUID().
  return Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");
}

function announce(target, name, detail, cancelable = false) {
  return target.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles: true }));
}

function element(name, properties = {}, ...children) {
  const { role, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  if (role) made.setAttribute("role", role);
  made.append(...children.filter(Boolean));
  return made;
}

function style() {
  const href = settings.sessionLimitStyle;
  if (href && !document.querySelector(`link[href="${href}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href }));
  }
}

/** Return what guards the element that `event` is of, if anything does. */
function guarding({ target }) {
  if (!(target instanceof Element) || !target.matches(SELECTOR)) return null;
  if (!plays.has(target)) plays.set(target, new Play(target));
  return plays.get(target);
}

function each(act) {
  for (const play of plays.values()) act(play);
}

/** Have time told by a worker: a browser slows the timers of pages in the background. */
function everyTick(act) {
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
  const begin = (event) => guarding(event)?.begin();
  const stop = (event) => guarding(event)?.stop();
  addEventListener("play", begin, true);
  addEventListener("session-limit:play", begin, true);
  addEventListener("ended", stop, true);
  addEventListener("session-limit:stop", stop, true);
  addEventListener("emptied", (event) => {
    const play = guarding(event);
    if (!play) return;
    // A pause that it was about to tell of is told no more.
    play.isOurs = false;
    if (play.loads) play.loads = false;
    else play.stop();
  }, true);
  addEventListener("pause", (event) => {
    const play = guarding(event);
    if (play?.isOurs) play.isOurs = false;
    else if (play?.isOn && !play.isEmpty) play.stopAt = Date.now() + PAUSE;
  }, true);
  // Where the machine has slept, before a second has passed.
  addEventListener("timeupdate", (event) => guarding(event)?.tick(), true);
  for (const media of document.querySelectorAll(`:is(video, audio)${SELECTOR}`)) {
    const play = guarding({ target: media });
    const isLater = play.address !== undefined && !media.hasAttribute("src");
    // What plays already, or would: by itself, before this was here.
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
  // One of this session's plays may have gone elsewhere: see watch.js.
  document.addEventListener("session-limit:changed", () => each((play) => play.ask()));
  document.addEventListener("session-limit:ended", (event) => {
    over = true;
    const { code, reason, heading, detail } = event.detail ?? {};
    // Once everybody has heard it: a project may want to pause by itself.
    queueMicrotask(() => each((play) => {
      if (event.defaultPrevented) play.forget();
      else play.leave({ code, reason, heading, detail });
    }));
  });
  document.addEventListener("session-limit:renewed", () => { over = false; });
  addEventListener("pagehide", () => each((play) => play.leave({ code: "left" })));
}
