"""What runs in the browser for the leaderboard: clicks in the drawn table, an opened row, a download."""

TABLE_JS = """
let again = null;
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-sort],[data-row],[data-more]');
  if (!button) return;
  const {sort, row, more} = button.dataset;
  again = sort ? `[data-sort="${sort}"]` : row ? `[data-row="${row}"]` : null;
  trigger('click', {sort: sort || '', row: row || '', more: more || ''});
});
watch('value', () => {
  const button = again && element.querySelector(again);
  again = null;
  if (button) button.focus({preventScroll: true});
});
"""
"""A click names what was clicked; after the table is drawn again the same button has the focus."""

ROW_JS = """
element.addEventListener('click', (event) => {
  if (event.target.closest('[data-close]')) trigger('click', {close: '1'});
});
let wasOpen = false;
watch('value', () => {
  const page = element.querySelector('.pm-row');
  if (page && !wasOpen) page.scrollIntoView({block: 'nearest'});
  wasOpen = Boolean(page);
});
"""

DOWNLOAD_JS = """(text) => {
  if (!text) return text;
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob(['\\ufeff' + text], {type: 'text/csv;charset=utf-8'}));
  link.download = 'personamem-leaderboard.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  return '';
}"""
