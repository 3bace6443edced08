-- Run once, when the cluster is made. Each database belongs to a role of its own, so that MLflow sees nothing of the platform.
\set database_password `cat /run/secrets/database-password`
\set mlflow_password `cat /run/secrets/mlflow-database-password`
CREATE ROLE modelwright LOGIN CREATEDB PASSWORD :'database_password';
CREATE ROLE mlflow LOGIN PASSWORD :'mlflow_password';
CREATE DATABASE modelwright OWNER modelwright;
CREATE DATABASE mlflow OWNER mlflow;
REVOKE CONNECT ON DATABASE modelwright, mlflow FROM PUBLIC;
