/*
Helpers that watch.js and play.js share.

The template tags load this file in a script element of its own, before the script that
needs it: module scripts run in the order of the document. The two scripts do not import
it, because Django's ManifestStaticFilesStorage does not rewrite imports by default. An
import would then ask for the name without a hash, which an upgraded site may serve from
an old cache, and which WHITENOISE_KEEP_ONLY_HASHED_FILES and signed URLs do not serve at
all. An import map would need an inline script, which script-src 'self' forbids. A dynamic
import would let later scripts of the page run before the listeners are in place.
*/

const SECOND = 1000;

/**
 * Return the settings that a tag wrote as data attributes of its script element.
 *
 * @param {string} name what the attribute that marks the element ends in
 * @returns {DOMStringMap} empty if the page has no such element
 */
function settingsOf(name) {
  /** @type {HTMLScriptElement | null} */
  const script = document.querySelector(`script[data-session-limit-${name}]`);
  return script?.dataset ?? {};
}

/**
 * Dispatch a custom event. An element's event bubbles to the document.
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
 * Create an HTML element. Children that are null, undefined, false, 0 or "" are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Partial<HTMLElementTagNameMap[Name]>} properties
 * @param {(Node | string | false | 0 | null | undefined)[]} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
function element(name, properties = {}, ...children) {
  // Not every browser reflects the property "role".
  const { role, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  if (role) made.setAttribute("role", role);
  for (const child of children) if (child) made.append(child);
  return made;
}

/**
 * Add the style sheet at `href` to the page, once. Does nothing if `href` is empty.
 *
 * @param {string} href
 */
function addStyle(href) {
  if (href && !document.querySelector(`link[href="${href}"]`)) {
    document.head.append(element("link", { rel: "stylesheet", href }));
  }
}

const shared = Object.freeze({ SECOND, addStyle, announce, element, settingsOf });
/** @typedef {typeof shared} Shared */

// Not a public interface: a symbol is out of the way of a project's own globals.
Reflect.set(globalThis, Symbol.for("session-limit.shared"), shared);
