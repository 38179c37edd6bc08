-- name: First
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND `users`.`id` = 7 ORDER BY `users`.`id` LIMIT 1

-- name: Find
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a'

-- name: Where
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (age > 5 AND `users`.`name` = 'x')

-- name: Where Or
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (name = 'x' OR name = 'y')

-- name: Where text with or
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (name = 'x'
OR name = 'y')

-- name: Not
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (NOT name = 'x')

-- name: soft delete
SELECT * FROM `notes` WHERE `notes`.`tenant_id` = 'a' AND (text = 'x' OR text = 'y') AND `notes`.`deleted_at` IS NULL

-- name: Count
SELECT count(*) FROM `users` WHERE `users`.`tenant_id` = 'a' AND (age > 5)

-- name: Group Having
SELECT name, count(*) AS n FROM `users` WHERE `users`.`tenant_id` = 'a' GROUP BY `name` HAVING count(*) > 1

-- name: Locking
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' FOR UPDATE

-- name: Joins
SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id`,`Company`.`id` AS `Company__id`,`Company`.`tenant_id` AS `Company__tenant_id`,`Company`.`name` AS `Company__name` FROM `users` LEFT JOIN `companies` `Company` ON `users`.`company_id` = `Company`.`id` AND `Company`.`tenant_id` = 'a' WHERE `users`.`tenant_id` = 'a'

-- name: InnerJoins with conditions
SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id`,`Company`.`id` AS `Company__id`,`Company`.`tenant_id` AS `Company__tenant_id`,`Company`.`name` AS `Company__name` FROM `users` INNER JOIN `companies` `Company` ON `users`.`company_id` = `Company`.`id` AND (`Company`.`tenant_id` = 'a' AND `Company`.`name` = 'x') WHERE `users`.`tenant_id` = 'a'

-- name: nested Joins
SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id`,`Manager`.`id` AS `Manager__id`,`Manager`.`tenant_id` AS `Manager__tenant_id`,`Manager`.`name` AS `Manager__name`,`Manager`.`age` AS `Manager__age`,`Manager`.`company_id` AS `Manager__company_id`,`Manager`.`manager_id` AS `Manager__manager_id`,`Manager__Company`.`id` AS `Manager__Company__id`,`Manager__Company`.`tenant_id` AS `Manager__Company__tenant_id`,`Manager__Company`.`name` AS `Manager__Company__name` FROM `users` LEFT JOIN `users` `Manager` ON `users`.`manager_id` = `Manager`.`id` AND `Manager`.`tenant_id` = 'a' LEFT JOIN `companies` `Manager__Company` ON `Manager`.`company_id` = `Manager__Company`.`id` AND `Manager__Company`.`tenant_id` = 'a' WHERE `users`.`tenant_id` = 'a'

-- name: raw join of central
SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id` FROM `users` JOIN plans ON plans.id = users.id WHERE `users`.`tenant_id` = 'a'

-- name: sub-query
SELECT * FROM `users` WHERE `users`.`tenant_id` = 'a' AND (id IN (SELECT `user_id` FROM `pets` WHERE `pets`.`tenant_id` = 'a' AND (name = 'x')))

-- name: derived table
SELECT * FROM (SELECT `name` FROM `users` WHERE `users`.`tenant_id` = 'a') AS u WHERE name = 'x'

-- name: Table alias
SELECT * FROM users AS u WHERE `u`.`tenant_id` = 'a' AND (u.age > 5)

-- name: link table
SELECT * FROM `user_languages` WHERE `user_languages`.`user_id` IN (SELECT `users`.`id` FROM `users` WHERE `users`.`tenant_id` = 'a') AND `user_languages`.`language_id` IN (SELECT `languages`.`id` FROM `languages` WHERE `languages`.`tenant_id` = 'a')

-- name: central
SELECT * FROM `plans` WHERE name = 'x'

-- name: Create
INSERT INTO `companies` (`tenant_id`,`name`) VALUES ('a','x')

-- name: Create slice
INSERT INTO `companies` (`tenant_id`,`name`) VALUES ('a','x'),('a','y')

-- name: Create map
INSERT INTO `companies` (`name`,`tenant_id`) VALUES ('x','a')

-- name: Create nested
INSERT INTO `pets` (`tenant_id`,`user_id`,`name`,`id`) VALUES ('a',9,'p',8) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`pets`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`pets`.`tenant_id`),0)),`pets`.`tenant_id`,`pets`.`tenant_id`),`user_id`=IF(`pets`.`tenant_id` = 'a',VALUES(`user_id`),`pets`.`user_id`)
INSERT INTO `languages` (`tenant_id`,`name`,`id`) VALUES ('a','',7) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`languages`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`languages`.`tenant_id`),0)),`languages`.`tenant_id`,`languages`.`tenant_id`)
INSERT INTO `user_languages` (`user_id`,`language_id`) VALUES (9,7) ON DUPLICATE KEY UPDATE `user_id`=`user_id`
INSERT INTO `users` (`tenant_id`,`name`,`age`,`company_id`,`manager_id`,`id`) VALUES ('a','x',0,NULL,NULL,9)

-- name: Save
UPDATE `companies` SET `name`='x' WHERE `companies`.`tenant_id` = 'a' AND `id` = 1

-- name: Save slice
INSERT INTO `companies` (`tenant_id`,`name`,`id`) VALUES ('a','x',1) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`companies`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`companies`.`tenant_id`),0)),`companies`.`tenant_id`,`companies`.`tenant_id`),`name`=IF(`companies`.`tenant_id` = 'a',VALUES(`name`),`companies`.`name`)

-- name: OnConflict UpdateAll
INSERT INTO `companies` (`tenant_id`,`name`,`id`) VALUES ('a','x',1) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`companies`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`companies`.`tenant_id`),0)),`companies`.`tenant_id`,`companies`.`tenant_id`),`name`=IF(`companies`.`tenant_id` = 'a',VALUES(`name`),`companies`.`name`)

-- name: OnConflict DoUpdates
INSERT INTO `companies` (`tenant_id`,`name`,`id`) VALUES ('a','x',1) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`companies`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`companies`.`tenant_id`),0)),`companies`.`tenant_id`,`companies`.`tenant_id`),`name`=IF(`companies`.`tenant_id` = 'a','y',`companies`.`name`)

-- name: OnConflict Where
INSERT INTO `companies` (`tenant_id`,`name`,`id`) VALUES ('a','x',1) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`companies`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`companies`.`tenant_id`),0)),`companies`.`tenant_id`,`companies`.`tenant_id`),`name`=IF(`companies`.`tenant_id` = 'a',VALUES(`name`),`companies`.`name`)

-- name: OnConflict DoNothing
INSERT INTO `companies` (`tenant_id`,`name`,`id`) VALUES ('a','x',1) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`companies`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`companies`.`tenant_id`),0)),`companies`.`tenant_id`,`companies`.`tenant_id`)

-- name: OnConflict of a composite key
INSERT INTO `docs` (`tenant_id`,`id`,`title`) VALUES ('a',1,'x') ON DUPLICATE KEY UPDATE `tenant_id`=IF(`docs`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`docs`.`tenant_id`),0)),`docs`.`tenant_id`,`docs`.`tenant_id`),`title`=IF(`docs`.`tenant_id` = 'a',VALUES(`title`),`docs`.`title`)

-- name: Update
UPDATE `users` SET `name`='x' WHERE `users`.`tenant_id` = 'a' AND `id` = 1

-- name: Updates
UPDATE `users` SET `name`='x' WHERE `users`.`tenant_id` = 'a' AND (age > 5 OR age < 2)

-- name: Update expression
UPDATE `users` SET `age`=age + 1 WHERE `users`.`tenant_id` = 'a' AND `id` = 1

-- name: Update all
-- error: WHERE conditions required

-- name: Delete
DELETE FROM `users` WHERE `users`.`tenant_id` = 'a' AND `users`.`id` = 1

-- name: Delete all
-- error: WHERE conditions required

-- name: Delete of a composite key
DELETE FROM `docs` WHERE `docs`.`tenant_id` = 'a' AND (`docs`.`tenant_id`,`docs`.`id`) IN (('a',1))

-- name: soft Delete
UPDATE `notes` SET `deleted_at`='2026-01-02 03:04:05' WHERE `notes`.`tenant_id` = 'a' AND (text = 'x' or text = 'y') AND `notes`.`deleted_at` IS NULL

-- name: Unscoped Delete
DELETE FROM `notes` WHERE `notes`.`tenant_id` = 'a' AND `notes`.`id` = 1

-- name: Association Append
INSERT INTO `languages` (`tenant_id`,`name`,`id`) VALUES ('a','',2) ON DUPLICATE KEY UPDATE `tenant_id`=IF(`languages`.`tenant_id` = 'a' OR ~0 + (1 + coalesce(length(`languages`.`tenant_id`),0)),`languages`.`tenant_id`,`languages`.`tenant_id`)
INSERT INTO `user_languages` (`user_id`,`language_id`) VALUES (1,2) ON DUPLICATE KEY UPDATE `user_id`=`user_id`

-- name: Association Delete
DELETE FROM `user_languages` WHERE `user_languages`.`user_id` IN (SELECT `users`.`id` FROM `users` WHERE `users`.`tenant_id` = 'a') AND `user_languages`.`language_id` IN (SELECT `languages`.`id` FROM `languages` WHERE `languages`.`tenant_id` = 'a') AND (`user_languages`.`user_id` = 1 AND `user_languages`.`language_id` = 2)

-- name: Association Clear
UPDATE `pets` SET `user_id`=NULL WHERE `pets`.`tenant_id` = 'a' AND `pets`.`user_id` = 1

-- name: Association Find
SELECT `languages`.`id`,`languages`.`tenant_id`,`languages`.`name` FROM `languages` JOIN `user_languages` ON `user_languages`.`user_id` IN (SELECT `users`.`id` FROM `users` WHERE `users`.`tenant_id` = 'a') AND `user_languages`.`language_id` IN (SELECT `languages`.`id` FROM `languages` WHERE `languages`.`tenant_id` = 'a') AND (`user_languages`.`language_id` = `languages`.`id` AND `user_languages`.`user_id` = 1) WHERE `languages`.`tenant_id` = 'a'

-- name: Raw with Current
UPDATE users SET age = 1 WHERE tenant_id = 'a'

-- name: ForTenants
SELECT `users`.`id`,`users`.`tenant_id`,`users`.`name`,`users`.`age`,`users`.`company_id`,`users`.`manager_id`,`Company`.`id` AS `Company__id`,`Company`.`tenant_id` AS `Company__tenant_id`,`Company`.`name` AS `Company__name` FROM `users` LEFT JOIN `companies` `Company` ON `users`.`company_id` = `Company`.`id` AND `Company`.`tenant_id` IN ('a','b') WHERE `users`.`tenant_id` IN ('a','b')

-- name: Bypass
SELECT * FROM `users`

-- name: no tenant
SELECT * FROM `users` WHERE `users`.`tenant_id` = NULL

-- name: no tenant create
-- error: tenancy: no tenant in the context (create "companies")

