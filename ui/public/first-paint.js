// Sets theme, text size and language on <html> before anything is painted, from what the last window remembered.
// A file of its own because the CSP allows no inline script. Must not know the app: it runs before it.
(function () {
  var look = {}
  try {
    look = JSON.parse(localStorage.getItem("hearth.look") || "{}") || {}
  } catch (_) {
    look = {}
  }
  var root = document.documentElement
  var dark = window.matchMedia("(prefers-color-scheme: dark)").matches
  root.dataset.theme = look.theme === "dark" || look.theme === "light" ? look.theme : dark ? "dark" : "light"
  root.dataset.textSize = look.textSize === "small" || look.textSize === "large" ? look.textSize : "normal"
  root.lang = look.language === "de" ? "de" : "en"
})()
