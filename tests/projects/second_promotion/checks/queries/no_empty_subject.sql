-- Every ticket says what it is about.
SELECT id
FROM desk.ticket
WHERE subject = ''
