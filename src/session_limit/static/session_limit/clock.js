/* Tells a page the time, at the pace of a worker: see play.js. */
addEventListener("message", ({ data }) => setInterval(() => postMessage(null), data), { once: true });
