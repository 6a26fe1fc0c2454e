// Before anything is painted: the theme that was chosen here, else that of the system.
(function () {
  try {
    const chosen = localStorage.getItem("skillret-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* storage is forbidden: the system's theme it is */ }
})();
