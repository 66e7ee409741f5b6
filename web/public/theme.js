// Runs before the first paint so that a dark page never flashes white.
// A file of its own because the content security policy allows no inline script.
(function () {
  var theme = "system";
  try {
    theme = localStorage.getItem("tidemark.theme") || "system";
  } catch (e) {}
  var dark = theme === "dark" || (theme === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
