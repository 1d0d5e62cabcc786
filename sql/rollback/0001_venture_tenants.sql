-- Venture goes as a whole, with its tenants and the countries that were entered.

DROP TABLE venture.tenant;
DROP TABLE venture.country;
DROP FUNCTION venture.current_tenant();
DROP SCHEMA venture;
