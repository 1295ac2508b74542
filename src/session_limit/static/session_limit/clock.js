/* A worker that posts a message at each interval it was sent: play.js says why. */
addEventListener("message", ({ data }) => setInterval(() => postMessage(null), data), { once: true });
