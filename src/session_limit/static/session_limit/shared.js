/*
Contains the helpers that watch.js and play.js share.

The template tags load this file in a script element of its own, before the script that
needs it. This works because module scripts run in the order of the document. The two
scripts do not import this file, because Django's ManifestStaticFilesStorage does not
rewrite imports by default. An import would request the name without a hash. After an
upgrade, a cache may still serve an old file under that name, and sites that use
WHITENOISE_KEEP_ONLY_HASHED_FILES or signed URLs do not serve it at all. An import map would
need an inline script, which script-src 'self' forbids. A dynamic import would let later
scripts of the page run before the listeners are in place.
*/

const SECOND = 1000;

/**
 * Return the settings that a template tag wrote as data attributes of its script element.
 *
 * @param {string} name the end of the attribute that marks the element, after
 *   "data-session-limit-"
 * @returns {DOMStringMap} the data attributes, empty if the page has no such element
 */
function settingsOf(name) {
  /** @type {HTMLScriptElement | null} */
  const script = document.querySelector(`script[data-session-limit-${name}]`);
  return script?.dataset ?? {};
}

/**
 * Dispatch a custom event. If the target is an element, the event bubbles to the document.
 *
 * @param {EventTarget} target
 * @param {string} name
 * @param {unknown} [detail]
 * @param {boolean} [cancelable]
 * @returns {boolean} false if a listener called preventDefault()
 */
function announce(target, name, detail, cancelable = false) {
  const bubbles = target instanceof Element;
  return target.dispatchEvent(new CustomEvent(name, { detail, cancelable, bubbles }));
}

/**
 * Create an HTML element. Ignores children that are null, undefined, false, 0 or "".
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} properties
 * @param {(Node | string | false | 0 | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
function element(name, properties = {}, ...children) {
  // Not every browser turns the property "role" into the attribute.
  const { role, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  if (role) made.setAttribute("role", role);
  for (const child of children) if (child) made.append(child);
  return made;
}

/**
 * Add the style sheet at `href` to the page, unless it is already there.
 *
 * @param {string} href the URL of the style sheet, or "" to do nothing
 */
function addStyle(href) {
  if (href && !document.querySelector(`link[href="${href}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href }));
  }
}

const shared = Object.freeze({ SECOND, addStyle, announce, element, settingsOf });
/** @typedef {typeof shared} Shared */

// This is not a public interface. A symbol cannot collide with a project's own globals.
Reflect.set(globalThis, Symbol.for("session-limit.shared"), shared);
