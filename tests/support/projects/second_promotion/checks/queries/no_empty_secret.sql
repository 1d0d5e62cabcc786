-- A secret without content is a mistake.
SELECT id
FROM vault.secret
WHERE content = ''
