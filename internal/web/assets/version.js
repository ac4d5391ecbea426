// Fills in what /version says. Without it the page links there.
const labels = {
  app: 'App',
  release: 'Release',
  released_at: 'Released',
  commit: 'Commit',
  dyno: 'Dyno',
  go: 'Go',
  sha256: 'SHA-256',
}

const response = await fetch('/version')
if (response.ok) {
  const version = await response.json()
  const rows = Object.keys(labels).filter((key) => version[key]).map((key) => [labels[key], version[key]])
  rows.push(['Modules', version.modules.map((module) => `${module.path} ${module.version}`).join('\n')])
  for (const [label, value] of rows) {
    const term = document.createElement('dt')
    const description = document.createElement('dd')
    term.textContent = label
    description.textContent = value
    document.getElementById('version').append(term, description)
  }
  document.getElementById('elsewhere').remove()
}
