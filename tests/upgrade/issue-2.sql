
\restrict upgrade
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
-- *not* creating schema, since initdb creates it
ALTER SCHEMA public OWNER TO agentmart_owner;
CREATE TYPE public.procrastinate_job_event_type AS ENUM (
    'deferred',
    'started',
    'deferred_for_retry',
    'failed',
    'succeeded',
    'cancelled',
    'abort_requested',
    'aborted',
    'scheduled',
    'retried'
);
ALTER TYPE public.procrastinate_job_event_type OWNER TO agentmart_owner;
CREATE TYPE public.procrastinate_job_status AS ENUM (
    'todo',
    'doing',
    'succeeded',
    'failed',
    'cancelled',
    'aborting',
    'aborted'
);
ALTER TYPE public.procrastinate_job_status OWNER TO agentmart_owner;
CREATE TYPE public.procrastinate_job_to_defer_v1 AS (
	queue_name character varying,
	task_name character varying,
	priority integer,
	lock text,
	queueing_lock text,
	args jsonb,
	scheduled_at timestamp with time zone
);
ALTER TYPE public.procrastinate_job_to_defer_v1 OWNER TO agentmart_owner;
CREATE FUNCTION public.agentmart_refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed; book a correction instead', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
ALTER FUNCTION public.agentmart_refuse_change() OWNER TO agentmart_owner;
CREATE FUNCTION public.billing_begin_as_draft() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NEW.state NOT IN ('pending', 'pending_finalization') THEN
        RAISE EXCEPTION 'an invoice begins as a draft, not as %', NEW.state USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
ALTER FUNCTION public.billing_begin_as_draft() OWNER TO agentmart_owner;
CREATE FUNCTION public.billing_keep_final_invoice() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    drafts text[] := ARRAY['pending', 'pending_finalization'];
    open_columns text[] := ARRAY['state', 'modified', 'amount_paid', 'payment_date', 'reference_number',
                                 'backend_id', 'payment_url'];
    lines record;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF NOT OLD.state = ANY (drafts) THEN
            RAISE EXCEPTION 'invoice % is final and is never deleted; cancel it instead', OLD.number
                USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF NOT OLD.state = ANY (drafts) AND (
        NEW.state = ANY (drafts) OR to_jsonb(OLD) - open_columns <> to_jsonb(NEW) - open_columns
    ) THEN
        RAISE EXCEPTION 'invoice % is final: only its state and payment change', OLD.number
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = ANY (drafts) AND NOT NEW.state = ANY (drafts) THEN
        SELECT coalesce(sum(i.price), 0) AS price, coalesce(sum(i.tax), 0) AS tax INTO lines
        FROM billing_invoice_item i WHERE i.invoice_id = NEW.id;
        IF lines.price <> NEW.price OR lines.tax <> NEW.tax THEN
            RAISE EXCEPTION 'invoice % says % + % tax, its lines add up to % + %',
                NEW.id, NEW.price, NEW.tax, lines.price, lines.tax USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
ALTER FUNCTION public.billing_keep_final_invoice() OWNER TO agentmart_owner;
CREATE FUNCTION public.billing_keep_final_item() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    touched uuid[];
    invoice uuid;
BEGIN
    IF TG_OP = 'INSERT' THEN touched := ARRAY[NEW.invoice_id];
    ELSIF TG_OP = 'DELETE' THEN touched := ARRAY[OLD.invoice_id];
    ELSE touched := ARRAY[OLD.invoice_id, NEW.invoice_id];
    END IF;
    FOREACH invoice IN ARRAY touched LOOP
        PERFORM 1 FROM billing_invoice b
        WHERE b.id = invoice AND b.state IN ('pending', 'pending_finalization') FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the lines of a final invoice never change' USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
    RETURN NEW;
END $$;
ALTER FUNCTION public.billing_keep_final_item() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status = 'todo'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        IF abort THEN
            UPDATE procrastinate_jobs
            SET abort_requested = true,
                status = CASE status
                    WHEN 'todo' THEN 'cancelled'::procrastinate_job_status ELSE status
                END
            WHERE id = job_id AND status IN ('todo', 'doing')
            RETURNING id INTO _job_id;
        ELSE
            UPDATE procrastinate_jobs
            SET status = 'cancelled'::procrastinate_job_status
            WHERE id = job_id AND status = 'todo'
            RETURNING id INTO _job_id;
        END IF;
    END IF;
    RETURN _job_id;
END;
$$;
ALTER FUNCTION public.procrastinate_cancel_job_v1(job_id bigint, abort boolean, delete_job boolean) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    job_ids bigint[];
BEGIN
    WITH inserted_jobs AS (
        INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        SELECT (job).queue_name,
               (job).task_name,
               (job).priority,
               (job).lock,
               (job).queueing_lock,
               (job).args,
               (job).scheduled_at
        FROM unnest(jobs) AS job
        RETURNING id
    )
    SELECT array_agg(id) FROM inserted_jobs INTO job_ids;
    RETURN job_ids;
END;
$$;
ALTER FUNCTION public.procrastinate_defer_jobs_v1(jobs public.procrastinate_job_to_defer_v1[]) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
	_job_id bigint;
	_defer_id bigint;
BEGIN
    INSERT
        INTO procrastinate_periodic_defers (task_name, periodic_id, defer_timestamp)
        VALUES (_task_name, _periodic_id, _defer_timestamp)
        ON CONFLICT DO NOTHING
        RETURNING id into _defer_id;
    IF _defer_id IS NULL THEN
        RETURN NULL;
    END IF;
    UPDATE procrastinate_periodic_defers
        SET job_id = (
            SELECT COALESCE((
                SELECT unnest(procrastinate_defer_jobs_v1(
                    ARRAY[
                        ROW(
                            _queue_name,
                            _task_name,
                            _priority,
                            _lock,
                            _queueing_lock,
                            _args,
                            NULL::timestamptz
                        )
                    ]::procrastinate_job_to_defer_v1[]
                ))
            ), NULL)
        )
        WHERE id = _defer_id
        RETURNING job_id INTO _job_id;
    DELETE
        FROM procrastinate_periodic_defers
        USING (
            SELECT id
            FROM procrastinate_periodic_defers
            WHERE procrastinate_periodic_defers.task_name = _task_name
            AND procrastinate_periodic_defers.periodic_id = _periodic_id
            AND procrastinate_periodic_defers.defer_timestamp < _defer_timestamp
            ORDER BY id
            FOR UPDATE
        ) to_delete
        WHERE procrastinate_periodic_defers.id = to_delete.id;
    RETURN _job_id;
END;
$$;
ALTER FUNCTION public.procrastinate_defer_periodic_job_v2(_queue_name character varying, _lock character varying, _queueing_lock character varying, _task_name character varying, _priority integer, _periodic_id character varying, _defer_timestamp bigint, _args jsonb) OWNER TO agentmart_owner;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.procrastinate_jobs (
    id bigint NOT NULL,
    queue_name character varying(128) NOT NULL,
    task_name character varying(128) NOT NULL,
    lock text,
    args jsonb DEFAULT '{}'::jsonb NOT NULL,
    status public.procrastinate_job_status DEFAULT 'todo'::public.procrastinate_job_status NOT NULL,
    scheduled_at timestamp with time zone,
    attempts integer DEFAULT 0 NOT NULL,
    queueing_lock text,
    priority integer DEFAULT 0 NOT NULL,
    abort_requested boolean DEFAULT false NOT NULL,
    worker_id bigint,
    CONSTRAINT check_not_todo_abort_requested CHECK ((NOT ((status = 'todo'::public.procrastinate_job_status) AND (abort_requested = true))))
);
ALTER TABLE public.procrastinate_jobs OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) RETURNS public.procrastinate_jobs
    LANGUAGE plpgsql
    AS $$
DECLARE
	found_jobs procrastinate_jobs;
BEGIN
    WITH candidate AS (
        SELECT jobs.*
            FROM procrastinate_jobs AS jobs
            WHERE
                -- reject the job if its lock has earlier or higher priority jobs
                NOT EXISTS (
                    SELECT 1
                        FROM procrastinate_jobs AS other_jobs
                        WHERE
                            jobs.lock IS NOT NULL
                            AND other_jobs.lock = jobs.lock
                            AND (
                                -- job with same lock is already running
                                other_jobs.status = 'doing'
                                OR
                                -- job with same lock is waiting and has higher priority (or same priority but was queued first)
                                (
                                    other_jobs.status = 'todo'
                                    AND (
                                        other_jobs.priority > jobs.priority
                                        OR (
                                        other_jobs.priority = jobs.priority
                                        AND other_jobs.id < jobs.id
                                        )
                                    )
                                )
                            )
                )
                AND jobs.status = 'todo'
                AND (target_queue_names IS NULL OR jobs.queue_name = ANY( target_queue_names ))
                AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
            ORDER BY jobs.priority DESC, jobs.id ASC LIMIT 1
            FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs
        SET status = 'doing', worker_id = p_worker_id
        FROM candidate
        WHERE procrastinate_jobs.id = candidate.id
        RETURNING procrastinate_jobs.* INTO found_jobs;
 RETURN found_jobs;
END;
$$;
ALTER FUNCTION public.procrastinate_fetch_job_v2(target_queue_names character varying[], p_worker_id bigint) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
BEGIN
    IF end_status NOT IN ('succeeded', 'failed', 'aborted') THEN
        RAISE 'End status should be either "succeeded", "failed" or "aborted" (job id: %)', job_id;
    END IF;
    IF delete_job THEN
        DELETE FROM procrastinate_jobs
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = end_status,
            abort_requested = false,
            attempts = CASE status
                WHEN 'doing' THEN attempts + 1 ELSE attempts
            END
        WHERE id = job_id AND status IN ('todo', 'doing')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" or "todo" status (job id: %)', job_id;
    END IF;
END;
$$;
ALTER FUNCTION public.procrastinate_finish_job_v1(job_id bigint, end_status public.procrastinate_job_status, delete_job boolean) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_notify_queue_abort_job_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'abort_job_requested', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_notify_queue_abort_job_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_notify_queue_job_inserted_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    payload TEXT;
BEGIN
    SELECT json_build_object('type', 'job_inserted', 'job_id', NEW.id)::text INTO payload;
	PERFORM pg_notify('procrastinate_queue_v1#' || NEW.queue_name, payload);
	PERFORM pg_notify('procrastinate_any_queue_v1', payload);
	RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_notify_queue_job_inserted_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    DELETE FROM procrastinate_workers
    WHERE last_heartbeat < NOW() - (seconds_since_heartbeat || 'SECOND')::INTERVAL
    RETURNING procrastinate_workers.id;
END;
$$;
ALTER FUNCTION public.procrastinate_prune_stalled_workers_v1(seconds_since_heartbeat double precision) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_register_worker_v1() RETURNS TABLE(worker_id bigint)
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY
    INSERT INTO procrastinate_workers DEFAULT VALUES
    RETURNING procrastinate_workers.id;
END;
$$;
ALTER FUNCTION public.procrastinate_register_worker_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
BEGIN
    SELECT abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status = 'doing'
    FOR UPDATE
    INTO _abort_requested;
    IF _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or not in "doing" status (job id: %)', job_id;
    END IF;
END;
$$;
ALTER FUNCTION public.procrastinate_retry_job_v1(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    _job_id bigint;
    _abort_requested boolean;
    _current_status procrastinate_job_status;
BEGIN
    SELECT status, abort_requested FROM procrastinate_jobs
    WHERE id = job_id AND status IN ('doing', 'failed')
    FOR UPDATE
    INTO _current_status, _abort_requested;
    IF _current_status = 'doing' AND _abort_requested THEN
        UPDATE procrastinate_jobs
        SET status = 'failed'::procrastinate_job_status
        WHERE id = job_id AND status = 'doing'
        RETURNING id INTO _job_id;
    ELSE
        UPDATE procrastinate_jobs
        SET status = 'todo'::procrastinate_job_status,
            attempts = attempts + 1,
            scheduled_at = retry_at,
            priority = COALESCE(new_priority, priority),
            queue_name = COALESCE(new_queue_name, queue_name),
            lock = COALESCE(new_lock, lock)
        WHERE id = job_id AND status IN ('doing', 'failed')
        RETURNING id INTO _job_id;
    END IF;
    IF _job_id IS NULL THEN
        RAISE 'Job was not found or has an invalid status to retry (job id: %)', job_id;
    END IF;
END;
$$;
ALTER FUNCTION public.procrastinate_retry_job_v2(job_id bigint, retry_at timestamp with time zone, new_priority integer, new_queue_name character varying, new_lock character varying) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'abort_requested'::procrastinate_job_event_type);
    RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type, at)
        VALUES (NEW.id, 'scheduled'::procrastinate_job_event_type, NEW.scheduled_at);
	RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_trigger_function_scheduled_events_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO procrastinate_events(job_id, type)
        VALUES (NEW.id, 'deferred'::procrastinate_job_event_type);
	RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_trigger_function_status_events_insert_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_trigger_function_status_events_update_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    WITH t AS (
        SELECT CASE
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND NEW.status = 'doing'::procrastinate_job_status
                THEN 'started'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'deferred_for_retry'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'failed'::procrastinate_job_status
                THEN 'failed'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'succeeded'::procrastinate_job_status
                THEN 'succeeded'::procrastinate_job_event_type
            WHEN OLD.status = 'todo'::procrastinate_job_status
                AND (
                    NEW.status = 'cancelled'::procrastinate_job_status
                    OR NEW.status = 'failed'::procrastinate_job_status
                    OR NEW.status = 'succeeded'::procrastinate_job_status
                )
                THEN 'cancelled'::procrastinate_job_event_type
            WHEN OLD.status = 'doing'::procrastinate_job_status
                AND NEW.status = 'aborted'::procrastinate_job_status
                THEN 'aborted'::procrastinate_job_event_type
            WHEN OLD.status = 'failed'::procrastinate_job_status
                AND NEW.status = 'todo'::procrastinate_job_status
                THEN 'retried'::procrastinate_job_event_type
            ELSE NULL
        END as event_type
    )
    INSERT INTO procrastinate_events(job_id, type)
        SELECT NEW.id, t.event_type
        FROM t
        WHERE t.event_type IS NOT NULL;
	RETURN NEW;
END;
$$;
ALTER FUNCTION public.procrastinate_trigger_function_status_events_update_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_unlink_periodic_defers_v1() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_periodic_defers
    SET job_id = NULL
    WHERE job_id = OLD.id;
    RETURN OLD;
END;
$$;
ALTER FUNCTION public.procrastinate_unlink_periodic_defers_v1() OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    DELETE FROM procrastinate_workers
    WHERE id = worker_id;
END;
$$;
ALTER FUNCTION public.procrastinate_unregister_worker_v1(worker_id bigint) OWNER TO agentmart_owner;
CREATE FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE procrastinate_workers
    SET last_heartbeat = NOW()
    WHERE id = worker_id;
END;
$$;
ALTER FUNCTION public.procrastinate_update_heartbeat_v1(worker_id bigint) OWNER TO agentmart_owner;
CREATE TABLE public.access_api_key (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    config_id uuid NOT NULL,
    name character varying(150) NOT NULL,
    kind character varying(20) NOT NULL,
    environment character varying(10) NOT NULL,
    scopes jsonb NOT NULL,
    prefix character varying(20) NOT NULL,
    last4 character varying(4) NOT NULL,
    created_by character varying(254) NOT NULL,
    expires_at timestamp with time zone,
    revoked_at timestamp with time zone
);
ALTER TABLE ONLY public.access_api_key FORCE ROW LEVEL SECURITY;
ALTER TABLE public.access_api_key OWNER TO agentmart_owner;
CREATE TABLE public.access_grant (
    key_id uuid NOT NULL,
    key_sha256 bytea NOT NULL,
    kind character varying(20) NOT NULL,
    environment character varying(10) NOT NULL,
    state character varying(30) NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    config_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    plan_id uuid,
    flow_version_id uuid,
    runtime character varying(30) NOT NULL,
    deployment_id character varying(64) NOT NULL,
    scopes jsonb NOT NULL,
    expires_at timestamp with time zone,
    accept_until timestamp with time zone,
    limits jsonb NOT NULL,
    tweakable jsonb NOT NULL,
    tweaks jsonb NOT NULL,
    version bigint NOT NULL
);
ALTER TABLE ONLY public.access_grant FORCE ROW LEVEL SECURITY;
ALTER TABLE public.access_grant OWNER TO agentmart_owner;
CREATE TABLE public.agents_agent (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    description text NOT NULL,
    state character varying(20) NOT NULL,
    runtime character varying(30) NOT NULL,
    tags jsonb NOT NULL,
    exposed jsonb NOT NULL,
    customer_id uuid NOT NULL
);
ALTER TABLE ONLY public.agents_agent FORCE ROW LEVEL SECURITY;
ALTER TABLE public.agents_agent OWNER TO agentmart_owner;
CREATE TABLE public.agents_flow_version (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    version integer NOT NULL,
    sha256 character varying(64) NOT NULL,
    flow jsonb NOT NULL,
    trust character varying(10) NOT NULL,
    langflow_version character varying(30) NOT NULL,
    nodes jsonb NOT NULL,
    tweakable jsonb NOT NULL,
    requires jsonb NOT NULL,
    warnings jsonb NOT NULL,
    note character varying(300) NOT NULL,
    created timestamp with time zone NOT NULL,
    created_by character varying(254) NOT NULL,
    agent_id uuid NOT NULL,
    CONSTRAINT agents_flow_version_version_check CHECK ((version >= 0))
);
ALTER TABLE ONLY public.agents_flow_version FORCE ROW LEVEL SECURITY;
ALTER TABLE public.agents_flow_version OWNER TO agentmart_owner;
CREATE TABLE public.auth_group (
    id integer NOT NULL,
    name character varying(150) NOT NULL
);
ALTER TABLE public.auth_group OWNER TO agentmart_owner;
ALTER TABLE public.auth_group ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_group_permissions (
    id bigint NOT NULL,
    group_id integer NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.auth_group_permissions OWNER TO agentmart_owner;
ALTER TABLE public.auth_group_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_group_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.auth_permission (
    id integer NOT NULL,
    name character varying(255) NOT NULL,
    content_type_id integer NOT NULL,
    codename character varying(100) NOT NULL
);
ALTER TABLE public.auth_permission OWNER TO agentmart_owner;
ALTER TABLE public.auth_permission ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.auth_permission_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.billing_invoice (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_details jsonb NOT NULL,
    issuer_id uuid NOT NULL,
    issuer_details jsonb NOT NULL,
    year smallint NOT NULL,
    month smallint NOT NULL,
    currency character varying(3) NOT NULL,
    state character varying(20) NOT NULL,
    number integer,
    price numeric(24,4) NOT NULL,
    tax numeric(24,4) NOT NULL,
    total numeric(24,4) NOT NULL,
    invoice_date date,
    due_date date,
    finalized_at timestamp with time zone,
    amount_paid numeric(24,4) NOT NULL,
    payment_date date,
    reference_number character varying(100) NOT NULL,
    backend_id character varying(255) NOT NULL,
    payment_url character varying(500) NOT NULL,
    customer_id uuid NOT NULL,
    CONSTRAINT billing_invoice_month_check CHECK ((month >= 0)),
    CONSTRAINT billing_invoice_number_check CHECK ((number >= 0)),
    CONSTRAINT billing_invoice_year_check CHECK ((year >= 0)),
    CONSTRAINT invoice_numbered_when_final CHECK ((((due_date IS NULL) AND (finalized_at IS NULL) AND (invoice_date IS NULL) AND (number IS NULL) AND ((state)::text = ANY ((ARRAY['pending'::character varying, 'pending_finalization'::character varying])::text[]))) OR ((due_date IS NOT NULL) AND (finalized_at IS NOT NULL) AND (invoice_date IS NOT NULL) AND (number >= 1) AND ((state)::text = ANY ((ARRAY['created'::character varying, 'paid'::character varying, 'canceled'::character varying])::text[]))))),
    CONSTRAINT invoice_total_is_price_plus_tax CHECK ((price = (total - tax)))
);
ALTER TABLE ONLY public.billing_invoice FORCE ROW LEVEL SECURITY;
ALTER TABLE public.billing_invoice OWNER TO agentmart_owner;
CREATE TABLE public.billing_invoice_item (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    "position" integer NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    project_name character varying(150) NOT NULL,
    resource_id uuid NOT NULL,
    resource_name character varying(150) NOT NULL,
    offering_id uuid NOT NULL,
    offering_name character varying(150) NOT NULL,
    plan_id uuid NOT NULL,
    plan_name character varying(150) NOT NULL,
    component_type character varying(60) NOT NULL,
    name character varying(600) NOT NULL,
    billing_type character varying(10) NOT NULL,
    measured_unit character varying(30) NOT NULL,
    unit character varying(20) NOT NULL,
    quantity numeric(40,10) NOT NULL,
    currency character varying(3) NOT NULL,
    unit_price numeric(24,10),
    price numeric(24,4) NOT NULL,
    tax numeric(24,4) NOT NULL,
    total numeric(24,4) NOT NULL,
    usage_month date NOT NULL,
    start timestamp with time zone NOT NULL,
    "end" timestamp with time zone NOT NULL,
    late boolean NOT NULL,
    details jsonb NOT NULL,
    invoice_id uuid NOT NULL,
    CONSTRAINT billing_invoice_item_position_check CHECK (("position" >= 0)),
    CONSTRAINT item_total_is_price_plus_tax CHECK ((price = (total - tax)))
);
ALTER TABLE ONLY public.billing_invoice_item FORCE ROW LEVEL SECURITY;
ALTER TABLE public.billing_invoice_item OWNER TO agentmart_owner;
CREATE TABLE public.billing_month (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    first_day date NOT NULL,
    state character varying(20) NOT NULL,
    lines integer NOT NULL,
    customer_id uuid NOT NULL,
    CONSTRAINT billing_month_lines_check CHECK ((lines >= 0))
);
ALTER TABLE ONLY public.billing_month FORCE ROW LEVEL SECURITY;
ALTER TABLE public.billing_month OWNER TO agentmart_owner;
CREATE TABLE public.billing_payment (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    amount numeric(24,4) NOT NULL,
    currency character varying(3) NOT NULL,
    paid_on date NOT NULL,
    reference character varying(100) NOT NULL,
    invoice_id uuid NOT NULL
);
ALTER TABLE ONLY public.billing_payment FORCE ROW LEVEL SECURITY;
ALTER TABLE public.billing_payment OWNER TO agentmart_owner;
CREATE TABLE public.catalog_category (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    title character varying(150) NOT NULL,
    description text NOT NULL
);
ALTER TABLE ONLY public.catalog_category FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_category OWNER TO agentmart_owner;
CREATE TABLE public.catalog_offering (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    slug character varying(80) NOT NULL,
    description text NOT NULL,
    type character varying(40) NOT NULL,
    state character varying(20) NOT NULL,
    review character varying(20) NOT NULL,
    paused_reason character varying(300) NOT NULL,
    shared boolean NOT NULL,
    billable boolean NOT NULL,
    plugin_options jsonb NOT NULL,
    agent_id uuid,
    category_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    flow_version_id uuid,
    service_provider_id uuid NOT NULL,
    custom_code boolean NOT NULL
);
ALTER TABLE ONLY public.catalog_offering FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_offering OWNER TO agentmart_owner;
CREATE TABLE public.catalog_offering_component (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    type character varying(60) NOT NULL,
    name character varying(150) NOT NULL,
    measured_unit character varying(30) NOT NULL,
    billing_type character varying(10) NOT NULL,
    is_builtin boolean NOT NULL,
    offering_id uuid NOT NULL
);
ALTER TABLE ONLY public.catalog_offering_component FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_offering_component OWNER TO agentmart_owner;
CREATE TABLE public.catalog_plan (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    description text NOT NULL,
    unit character varying(20) NOT NULL,
    interval_count smallint NOT NULL,
    currency character varying(3) NOT NULL,
    limits jsonb NOT NULL,
    archived boolean NOT NULL,
    max_amount integer,
    offering_id uuid NOT NULL,
    CONSTRAINT catalog_plan_interval_count_check CHECK ((interval_count >= 0)),
    CONSTRAINT catalog_plan_max_amount_check CHECK ((max_amount >= 0))
);
ALTER TABLE ONLY public.catalog_plan FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_plan OWNER TO agentmart_owner;
CREATE TABLE public.catalog_plan_component (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    amount integer NOT NULL,
    price jsonb NOT NULL,
    component_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    plan_id uuid NOT NULL,
    CONSTRAINT catalog_plan_component_amount_check CHECK ((amount >= 0))
);
ALTER TABLE ONLY public.catalog_plan_component FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_plan_component OWNER TO agentmart_owner;
CREATE TABLE public.catalog_service_provider (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    description text NOT NULL,
    customer_id uuid NOT NULL
);
ALTER TABLE ONLY public.catalog_service_provider FORCE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_service_provider OWNER TO agentmart_owner;
CREATE TABLE public.django_content_type (
    id integer NOT NULL,
    app_label character varying(100) NOT NULL,
    model character varying(100) NOT NULL
);
ALTER TABLE public.django_content_type OWNER TO agentmart_owner;
ALTER TABLE public.django_content_type ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_content_type_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_migrations (
    id bigint NOT NULL,
    app character varying(255) NOT NULL,
    name character varying(255) NOT NULL,
    applied timestamp with time zone NOT NULL
);
ALTER TABLE public.django_migrations OWNER TO agentmart_owner;
ALTER TABLE public.django_migrations ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.django_migrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.django_session (
    session_key character varying(40) NOT NULL,
    session_data text NOT NULL,
    expire_date timestamp with time zone NOT NULL
);
ALTER TABLE public.django_session OWNER TO agentmart_owner;
CREATE TABLE public.identity_api_token (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    token_sha256 bytea NOT NULL,
    expires_at timestamp with time zone,
    user_id uuid NOT NULL
);
ALTER TABLE ONLY public.identity_api_token FORCE ROW LEVEL SECURITY;
ALTER TABLE public.identity_api_token OWNER TO agentmart_owner;
CREATE TABLE public.identity_customer (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    country character varying(2) NOT NULL,
    vat_code character varying(20) NOT NULL,
    address character varying(300) NOT NULL,
    currency character varying(3) NOT NULL,
    blocked boolean NOT NULL,
    blocked_reason character varying(300) NOT NULL,
    archived boolean NOT NULL,
    is_operator boolean NOT NULL,
    custom_code_allowed boolean NOT NULL
);
ALTER TABLE ONLY public.identity_customer FORCE ROW LEVEL SECURITY;
ALTER TABLE public.identity_customer OWNER TO agentmart_owner;
CREATE TABLE public.identity_membership (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    role character varying(30) NOT NULL,
    expires_at timestamp with time zone,
    customer_id uuid NOT NULL,
    user_id uuid NOT NULL,
    project_id uuid
);
ALTER TABLE ONLY public.identity_membership FORCE ROW LEVEL SECURITY;
ALTER TABLE public.identity_membership OWNER TO agentmart_owner;
CREATE TABLE public.identity_project (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    name character varying(150) NOT NULL,
    description text NOT NULL,
    customer_id uuid NOT NULL
);
ALTER TABLE ONLY public.identity_project FORCE ROW LEVEL SECURITY;
ALTER TABLE public.identity_project OWNER TO agentmart_owner;
CREATE TABLE public.identity_user (
    password character varying(128) NOT NULL,
    last_login timestamp with time zone,
    is_superuser boolean NOT NULL,
    username character varying(150) NOT NULL,
    first_name character varying(150) NOT NULL,
    last_name character varying(150) NOT NULL,
    email character varying(254) NOT NULL,
    is_staff boolean NOT NULL,
    is_active boolean NOT NULL,
    date_joined timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    is_support boolean NOT NULL,
    is_finance boolean NOT NULL,
    is_catalog_manager boolean NOT NULL
);
ALTER TABLE ONLY public.identity_user FORCE ROW LEVEL SECURITY;
ALTER TABLE public.identity_user OWNER TO agentmart_owner;
CREATE TABLE public.identity_user_groups (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    group_id integer NOT NULL
);
ALTER TABLE public.identity_user_groups OWNER TO agentmart_owner;
ALTER TABLE public.identity_user_groups ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.identity_user_groups_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.identity_user_user_permissions (
    id bigint NOT NULL,
    user_id uuid NOT NULL,
    permission_id integer NOT NULL
);
ALTER TABLE public.identity_user_user_permissions OWNER TO agentmart_owner;
ALTER TABLE public.identity_user_user_permissions ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME public.identity_user_user_permissions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.infra_audit_entry (
    id uuid NOT NULL,
    at timestamp with time zone NOT NULL,
    actor_id uuid,
    actor_name character varying(254) NOT NULL,
    action character varying(100) NOT NULL,
    object_type character varying(100) NOT NULL,
    object_id uuid NOT NULL,
    customer_id uuid,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    request_id character varying(64) NOT NULL
);
ALTER TABLE ONLY public.infra_audit_entry FORCE ROW LEVEL SECURITY;
ALTER TABLE public.infra_audit_entry OWNER TO agentmart_owner;
CREATE TABLE public.metering_call_flag (
    call_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    key_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL,
    flagged_at timestamp with time zone NOT NULL,
    outcome character varying(20) NOT NULL
);
ALTER TABLE ONLY public.metering_call_flag FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_call_flag OWNER TO agentmart_owner;
CREATE TABLE public.metering_call_started (
    call_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    key_id uuid NOT NULL,
    gateway_id uuid NOT NULL,
    started_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY public.metering_call_started FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_call_started OWNER TO agentmart_owner;
CREATE TABLE public.metering_usage_event (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    resource_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    plan_id uuid,
    key_id uuid,
    flow_version_id uuid,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    status character varying(20) NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    source character varying(20) NOT NULL,
    duration_ms integer NOT NULL,
    streamed boolean DEFAULT false NOT NULL,
    error_code character varying(60) DEFAULT ''::character varying NOT NULL,
    meters jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT metering_usage_event_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT metering_usage_event_source_check CHECK (((source)::text = ANY ((ARRAY['runtime'::character varying, 'counted'::character varying, 'reported'::character varying, 'none'::character varying])::text[]))),
    CONSTRAINT metering_usage_event_status_check CHECK (((status)::text = ANY ((ARRAY['ok'::character varying, 'error'::character varying, 'timeout'::character varying, 'cancelled'::character varying])::text[])))
)
PARTITION BY RANGE (id);
ALTER TABLE ONLY public.metering_usage_event FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event OWNER TO agentmart_owner;
CREATE TABLE public.metering_usage_event_2026_12 (
    id uuid CONSTRAINT metering_usage_event_id_not_null NOT NULL,
    customer_id uuid CONSTRAINT metering_usage_event_customer_id_not_null NOT NULL,
    provider_customer_id uuid CONSTRAINT metering_usage_event_provider_customer_id_not_null NOT NULL,
    project_id uuid CONSTRAINT metering_usage_event_project_id_not_null NOT NULL,
    resource_id uuid CONSTRAINT metering_usage_event_resource_id_not_null NOT NULL,
    offering_id uuid CONSTRAINT metering_usage_event_offering_id_not_null NOT NULL,
    plan_id uuid,
    key_id uuid,
    flow_version_id uuid,
    occurred_at timestamp with time zone CONSTRAINT metering_usage_event_occurred_at_not_null NOT NULL,
    received_at timestamp with time zone CONSTRAINT metering_usage_event_received_at_not_null NOT NULL,
    status character varying(20) CONSTRAINT metering_usage_event_status_not_null NOT NULL,
    requests bigint CONSTRAINT metering_usage_event_requests_not_null NOT NULL,
    input_tokens bigint CONSTRAINT metering_usage_event_input_tokens_not_null NOT NULL,
    output_tokens bigint CONSTRAINT metering_usage_event_output_tokens_not_null NOT NULL,
    source character varying(20) CONSTRAINT metering_usage_event_source_not_null NOT NULL,
    duration_ms integer CONSTRAINT metering_usage_event_duration_ms_not_null NOT NULL,
    streamed boolean DEFAULT false CONSTRAINT metering_usage_event_streamed_not_null NOT NULL,
    error_code character varying(60) DEFAULT ''::character varying CONSTRAINT metering_usage_event_error_code_not_null NOT NULL,
    meters jsonb DEFAULT '{}'::jsonb CONSTRAINT metering_usage_event_meters_not_null NOT NULL,
    CONSTRAINT metering_usage_event_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT metering_usage_event_source_check CHECK (((source)::text = ANY ((ARRAY['runtime'::character varying, 'counted'::character varying, 'reported'::character varying, 'none'::character varying])::text[]))),
    CONSTRAINT metering_usage_event_status_check CHECK (((status)::text = ANY ((ARRAY['ok'::character varying, 'error'::character varying, 'timeout'::character varying, 'cancelled'::character varying])::text[])))
);
ALTER TABLE ONLY public.metering_usage_event_2026_12 FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event_2026_12 OWNER TO agentmart_owner;
CREATE TABLE public.metering_usage_event_default (
    id uuid CONSTRAINT metering_usage_event_id_not_null NOT NULL,
    customer_id uuid CONSTRAINT metering_usage_event_customer_id_not_null NOT NULL,
    provider_customer_id uuid CONSTRAINT metering_usage_event_provider_customer_id_not_null NOT NULL,
    project_id uuid CONSTRAINT metering_usage_event_project_id_not_null NOT NULL,
    resource_id uuid CONSTRAINT metering_usage_event_resource_id_not_null NOT NULL,
    offering_id uuid CONSTRAINT metering_usage_event_offering_id_not_null NOT NULL,
    plan_id uuid,
    key_id uuid,
    flow_version_id uuid,
    occurred_at timestamp with time zone CONSTRAINT metering_usage_event_occurred_at_not_null NOT NULL,
    received_at timestamp with time zone CONSTRAINT metering_usage_event_received_at_not_null NOT NULL,
    status character varying(20) CONSTRAINT metering_usage_event_status_not_null NOT NULL,
    requests bigint CONSTRAINT metering_usage_event_requests_not_null NOT NULL,
    input_tokens bigint CONSTRAINT metering_usage_event_input_tokens_not_null NOT NULL,
    output_tokens bigint CONSTRAINT metering_usage_event_output_tokens_not_null NOT NULL,
    source character varying(20) CONSTRAINT metering_usage_event_source_not_null NOT NULL,
    duration_ms integer CONSTRAINT metering_usage_event_duration_ms_not_null NOT NULL,
    streamed boolean DEFAULT false CONSTRAINT metering_usage_event_streamed_not_null NOT NULL,
    error_code character varying(60) DEFAULT ''::character varying CONSTRAINT metering_usage_event_error_code_not_null NOT NULL,
    meters jsonb DEFAULT '{}'::jsonb CONSTRAINT metering_usage_event_meters_not_null NOT NULL,
    CONSTRAINT metering_usage_event_duration_ms_check CHECK ((duration_ms >= 0)),
    CONSTRAINT metering_usage_event_source_check CHECK (((source)::text = ANY ((ARRAY['runtime'::character varying, 'counted'::character varying, 'reported'::character varying, 'none'::character varying])::text[]))),
    CONSTRAINT metering_usage_event_status_check CHECK (((status)::text = ANY ((ARRAY['ok'::character varying, 'error'::character varying, 'timeout'::character varying, 'cancelled'::character varying])::text[])))
);
ALTER TABLE ONLY public.metering_usage_event_default FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event_default OWNER TO agentmart_owner;
CREATE TABLE public.metering_usage_hour (
    resource_id uuid NOT NULL,
    hour timestamp with time zone NOT NULL,
    plan_key uuid NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    project_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    events bigint NOT NULL,
    errors bigint NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL
);
ALTER TABLE ONLY public.metering_usage_hour FORCE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_hour OWNER TO agentmart_owner;
CREATE TABLE public.ordering_order (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    type character varying(20) NOT NULL,
    state character varying(20) NOT NULL,
    customer_name character varying(150) NOT NULL,
    project_name character varying(150) NOT NULL,
    provider_customer_id uuid NOT NULL,
    resource_name character varying(150) NOT NULL,
    attributes jsonb NOT NULL,
    limits jsonb NOT NULL,
    cost numeric(20,2),
    request_comment text NOT NULL,
    created_by_id uuid,
    created_by_username character varying(254) NOT NULL,
    consumer_reviewed_by character varying(254) NOT NULL,
    consumer_reviewed_at timestamp with time zone,
    consumer_rejection_comment text NOT NULL,
    provider_reviewed_by character varying(254) NOT NULL,
    provider_reviewed_at timestamp with time zone,
    provider_rejection_comment text NOT NULL,
    error_message character varying(500) NOT NULL,
    completed_at timestamp with time zone,
    customer_id uuid NOT NULL,
    offering_id uuid NOT NULL,
    plan_id uuid,
    project_id uuid NOT NULL,
    resource_id uuid NOT NULL
);
ALTER TABLE ONLY public.ordering_order FORCE ROW LEVEL SECURITY;
ALTER TABLE public.ordering_order OWNER TO agentmart_owner;
CREATE TABLE public.procrastinate_events (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    type public.procrastinate_job_event_type,
    at timestamp with time zone DEFAULT now()
);
ALTER TABLE public.procrastinate_events OWNER TO agentmart_owner;
CREATE SEQUENCE public.procrastinate_events_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNER TO agentmart_owner;
ALTER SEQUENCE public.procrastinate_events_id_seq OWNED BY public.procrastinate_events.id;
CREATE SEQUENCE public.procrastinate_jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNER TO agentmart_owner;
ALTER SEQUENCE public.procrastinate_jobs_id_seq OWNED BY public.procrastinate_jobs.id;
CREATE TABLE public.procrastinate_periodic_defers (
    id bigint NOT NULL,
    task_name character varying(128) NOT NULL,
    defer_timestamp bigint,
    job_id bigint,
    periodic_id character varying(128) DEFAULT ''::character varying NOT NULL
);
ALTER TABLE public.procrastinate_periodic_defers OWNER TO agentmart_owner;
CREATE SEQUENCE public.procrastinate_periodic_defers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNER TO agentmart_owner;
ALTER SEQUENCE public.procrastinate_periodic_defers_id_seq OWNED BY public.procrastinate_periodic_defers.id;
CREATE TABLE public.procrastinate_workers (
    id bigint NOT NULL,
    last_heartbeat timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.procrastinate_workers OWNER TO agentmart_owner;
ALTER TABLE public.procrastinate_workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.procrastinate_workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.resources_agent_config (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    name character varying(150) NOT NULL,
    tweaks jsonb NOT NULL,
    tweakable jsonb NOT NULL,
    resource_id uuid NOT NULL
);
ALTER TABLE ONLY public.resources_agent_config FORCE ROW LEVEL SECURITY;
ALTER TABLE public.resources_agent_config OWNER TO agentmart_owner;
CREATE TABLE public.resources_plan_period (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    provider_customer_id uuid NOT NULL,
    start timestamp with time zone NOT NULL,
    "end" timestamp with time zone,
    plan_id uuid NOT NULL,
    resource_id uuid NOT NULL
);
ALTER TABLE ONLY public.resources_plan_period FORCE ROW LEVEL SECURITY;
ALTER TABLE public.resources_plan_period OWNER TO agentmart_owner;
CREATE TABLE public.resources_resource (
    id uuid NOT NULL,
    created timestamp with time zone NOT NULL,
    modified timestamp with time zone NOT NULL,
    customer_name character varying(150) NOT NULL,
    project_name character varying(150) NOT NULL,
    provider_customer_id uuid NOT NULL,
    runtime character varying(30) NOT NULL,
    name character varying(150) NOT NULL,
    state character varying(20) NOT NULL,
    paused boolean NOT NULL,
    error_message character varying(500) NOT NULL,
    activated_at timestamp with time zone,
    terminated_at timestamp with time zone,
    customer_id uuid NOT NULL,
    flow_version_id uuid,
    offering_id uuid NOT NULL,
    plan_id uuid,
    project_id uuid NOT NULL
);
ALTER TABLE ONLY public.resources_resource FORCE ROW LEVEL SECURITY;
ALTER TABLE public.resources_resource OWNER TO agentmart_owner;
ALTER TABLE ONLY public.metering_usage_event ATTACH PARTITION public.metering_usage_event_2026_12 FOR VALUES FROM ('01a22ee6-b000-0000-0000-000000000000') TO ('01a2ce8b-d400-0000-0000-000000000000');
ALTER TABLE ONLY public.metering_usage_event ATTACH PARTITION public.metering_usage_event_default DEFAULT;
ALTER TABLE ONLY public.procrastinate_events ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_events_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_jobs ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_jobs_id_seq'::regclass);
ALTER TABLE ONLY public.procrastinate_periodic_defers ALTER COLUMN id SET DEFAULT nextval('public.procrastinate_periodic_defers_id_seq'::regclass);
COPY public.access_api_key (id, created, modified, customer_id, project_id, config_id, name, kind, environment, scopes, prefix, last4, created_by, expires_at, revoked_at) FROM stdin;
d60dddde-656b-4e94-811f-9732eac0c3bf	2026-12-10 09:00:04.080041+00	2026-12-10 09:00:04.080041+00	5db958c6-46fe-40ba-9b4a-dded18a7415b	7453a82e-e67e-4856-be11-875489cf3577	9c0031b9-cdec-4c42-8260-289c6a13ffd4	Demo	secret	live	["agent:invoke", "agent:stream"]	ar_sk_live_	F5-o	buyer	2027-12-10 09:00:04.080041+00	\N
3304c8fc-1f50-4753-8440-bb2da7dca3e8	2026-12-10 09:00:11.688923+00	2026-12-10 09:00:11.73367+00	5db958c6-46fe-40ba-9b4a-dded18a7415b	7453a82e-e67e-4856-be11-875489cf3577	9c0031b9-cdec-4c42-8260-289c6a13ffd4	To be revoked	secret	live	["agent:invoke", "agent:stream"]	ar_sk_live_	OmRE	buyer	2027-12-10 09:00:11.688923+00	2026-12-10 09:00:11.73367+00
1f769627-7653-4f8f-b478-9616f51a8e6c	2026-12-10 09:00:11.794732+00	2026-12-10 09:00:11.794732+00	224488c2-0cee-408b-a345-3cdd38cd4336	bc5d5508-ab68-43dd-9d62-700b4ca26c63	e7db6609-4c06-4d58-8e30-b60d3c146f43	Demo	secret	live	["agent:invoke", "agent:stream"]	ar_sk_live_	_in4	neighbour	2027-12-10 09:00:11.794732+00	\N
\.
COPY public.access_grant (key_id, key_sha256, kind, environment, state, customer_id, provider_customer_id, project_id, resource_id, config_id, offering_id, plan_id, flow_version_id, runtime, deployment_id, scopes, expires_at, accept_until, limits, tweakable, tweaks, version) FROM stdin;
d60dddde-656b-4e94-811f-9732eac0c3bf	\\xc4e72bbaa589f71ed682f8276c2498005b1599ab61995f3cda98c01871b093e3	secret	live	active	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	9c0031b9-cdec-4c42-8260-289c6a13ffd4	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	f5f884eb-5050-4e03-a449-16f9dd7d9388	embedded	4eef965673ad4ba5802fe6fbdf89627b	["agent:invoke", "agent:stream"]	2027-12-10 09:00:04.080041+00	\N	{"streaming": true, "max_context_tokens": 8192, "concurrent_requests": 5, "requests_per_minute": 120}	[]	{}	1
3304c8fc-1f50-4753-8440-bb2da7dca3e8	\\xbd3b8af002ed98d2ed3d258b644162a104fbd76696b5fcfb7c6b81ab5e9e4b8e	secret	live	revoked	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	9c0031b9-cdec-4c42-8260-289c6a13ffd4	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	f5f884eb-5050-4e03-a449-16f9dd7d9388	embedded	4eef965673ad4ba5802fe6fbdf89627b	["agent:invoke", "agent:stream"]	2027-12-10 09:00:11.688923+00	\N	{"streaming": true, "max_context_tokens": 8192, "concurrent_requests": 5, "requests_per_minute": 120}	[]	{}	1
1f769627-7653-4f8f-b478-9616f51a8e6c	\\x7244e4936fd45636508150d175e79a7886501ac760cc4071131767e6c866ab3f	secret	live	active	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	bc5d5508-ab68-43dd-9d62-700b4ca26c63	b08054f4-868f-44cd-9dcd-5f52301d8c41	e7db6609-4c06-4d58-8e30-b60d3c146f43	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	342f71a1-bf66-4661-81bb-7b6ce4d555db	embedded	b08054f4868f44cd9dcd5f52301d8c41	["agent:invoke", "agent:stream"]	2027-12-10 09:00:11.794732+00	\N	{"streaming": false, "concurrent_requests": 1, "requests_per_minute": 3}	[]	{}	1
\.
COPY public.agents_agent (id, created, modified, name, description, state, runtime, tags, exposed, customer_id) FROM stdin;
debc1508-ca5b-4c5d-8f6d-6d6b634a7720	2026-12-10 09:00:01.91099+00	2026-12-10 09:00:02.276558+00	Memory Chatbot		published	embedded	[]	[]	1c9e1542-9f40-410a-9f7f-abfb95776e81
1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b	2026-12-10 09:00:01.647913+00	2026-12-10 09:00:02.614873+00	Echo		published	embedded	[]	[]	1c9e1542-9f40-410a-9f7f-abfb95776e81
\.
COPY public.agents_flow_version (id, customer_id, version, sha256, flow, trust, langflow_version, nodes, tweakable, requires, warnings, note, created, created_by, agent_id) FROM stdin;
342f71a1-bf66-4661-81bb-7b6ce4d555db	1c9e1542-9f40-410a-9f7f-abfb95776e81	1	11238b7e9b373c6a8e407b95d27aafee19cf0d1f055c644bfee62ad9265ac46f	{}	known		[{"id": "TextInput-J1CQK", "type": "TextInput", "class": "known", "group": "", "module": "lfx.components.input_output.text", "origin": "source", "sha256": "518f16485886e33d92bd44b4830ca7489331044068bc09265fd345819df84a3f", "releases": "langflow-base 0.8.0-0.9.6, lfx 0.3.0-1.13.0", "component": "TextInput", "custom_code": false, "capabilities": [], "display_name": "Text Input", "runtime_type": "TextInput"}, {"id": "ChatOutput-boh63", "type": "ChatOutput", "class": "known", "group": "", "module": "lfx.components.input_output.chat_output", "origin": "starter", "sha256": "c312c84b1777fbe2a3481ba09b931f6792c2aa046dd82ff243adae147d2ba966", "releases": "lfx 0.4.0-1.13.0", "component": "ChatOutput", "custom_code": false, "capabilities": [], "display_name": "Chat Output", "runtime_type": "ChatOutput"}]	[{"node": "TextInput-J1CQK", "type": "str", "field": "input_value", "label": "Text", "default": "Hello, World!", "maximum": null, "minimum": null, "options": [], "max_length": 20000}]	{"models": [], "packages": ["fastapi", "lfx", "orjson"], "variables": []}	[{"code": "untested_version", "node": "", "path": "last_tested_version", "message": "The export does not say which Langflow version it comes from (last_tested_version)."}]		2026-12-10 09:00:01.794695+00	provider	1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b
f5f884eb-5050-4e03-a449-16f9dd7d9388	1c9e1542-9f40-410a-9f7f-abfb95776e81	1	7cc49e8e83f25b452a9f136c0740005059a32b8ee0329263f6055227669109df	{}	known	1.10.1rc3	[{"id": "ChatInput-oQkLS", "type": "ChatInput", "class": "known", "group": "", "module": "lfx.components.input_output.chat", "origin": "source", "sha256": "45974e6b1909ddbbfec5381cf528523131c7579f3724a1a6cc05ab62cfc63827", "releases": "langflow-base 0.11.3-1.13.0, lfx 1.11.3-1.13.0", "component": "ChatInput", "custom_code": false, "capabilities": [], "display_name": "Chat Input", "runtime_type": "ChatInput"}, {"id": "ChatOutput-65zjS", "type": "ChatOutput", "class": "known", "group": "", "module": "lfx.components.input_output.chat_output", "origin": "source", "sha256": "0aab1c78e1dc24ff5a066dc8db75a695aa46cb3ba8fbb13c34f70672c5f2b967", "releases": "langflow-base 1.12.4-1.13.0, lfx 1.12.4-1.13.0", "component": "ChatOutput", "custom_code": false, "capabilities": [], "display_name": "Chat Output", "runtime_type": "ChatOutput"}, {"id": "Agent-AlLub", "type": "Agent", "class": "known", "group": "", "module": "lfx.components.models_and_agents.agent", "origin": "source", "sha256": "9fcfe75813e77e9f618aacc94b079f4d57073000513bb9d38af8609c96ad331e", "releases": "langflow-base 1.13.0, lfx 1.13.0", "component": "Agent", "custom_code": false, "capabilities": [], "display_name": "Agent", "runtime_type": "Agent"}, {"id": "MemoryBase-xePih", "type": "MemoryBase", "class": "known", "group": "", "module": "lfx.components.files_and_knowledge.memory_retrieval", "origin": "source", "sha256": "fddf83963c6641cc2dfafb4431dfdfd1f403f4bfe61269240be7cee46606ff7c", "releases": "langflow-base 1.13.0, lfx 1.13.0", "component": "MemoryBase", "custom_code": false, "capabilities": [], "display_name": "Memory Base", "runtime_type": "MemoryBase"}]	[{"node": "Agent-AlLub", "type": "int", "field": "max_iterations", "label": "Max Iterations", "default": 15, "maximum": 128000.0, "minimum": 1.0, "options": [], "max_length": null}, {"node": "Agent-AlLub", "type": "int", "field": "max_tokens", "label": "Max Tokens", "default": null, "maximum": 128000.0, "minimum": 1.0, "options": [], "max_length": null}, {"node": "Agent-AlLub", "type": "int", "field": "n_messages", "label": "Number of Chat History Messages", "default": 100, "maximum": null, "minimum": null, "options": [], "max_length": null}, {"node": "Agent-AlLub", "type": "str", "field": "system_prompt", "label": "Agent Instructions", "default": "You are a friendly conversational assistant with long-term memory.\\n\\nA Memory Base is attached as a tool and holds what you've learned about the user across\\nALL past conversations. Use it like this:\\n- When a message depends on what you already know about the user (their name, preferences,\\n  past topics or decisions), FIRST call the memory tool with a short, focused query\\n  (e.g. \\"user's name\\", \\"user's preferences\\") and base your answer on what it returns.\\n- If the memory has nothing relevant, say you don't know that yet and ask — never invent\\n  or guess a memory.\\n- For questions that don't need past context, just answer directly.\\n\\nYou don't need to save anything: new information the user shares is written to the Memory\\nBase automatically. Keep replies concise and natural, and don't mention the memory tool\\nunless asked.", "maximum": null, "minimum": null, "options": [], "max_length": 20000}, {"node": "MemoryBase-xePih", "type": "bool", "field": "include_metadata", "label": "Include Metadata", "default": true, "maximum": null, "minimum": null, "options": [], "max_length": null}, {"node": "MemoryBase-xePih", "type": "int", "field": "top_k", "label": "Top K Results", "default": 5, "maximum": null, "minimum": null, "options": [], "max_length": null}]	{"models": [], "packages": ["fastapi", "langchain", "langchain_core", "langflow", "langgraph", "lfx", "numpy", "orjson", "sqlmodel"], "variables": []}	[]		2026-12-10 09:00:02.002392+00	provider	debc1508-ca5b-4c5d-8f6d-6d6b634a7720
\.
COPY public.auth_group (id, name) FROM stdin;
\.
COPY public.auth_group_permissions (id, group_id, permission_id) FROM stdin;
\.
COPY public.auth_permission (id, name, content_type_id, codename) FROM stdin;
1	Can add permission	1	add_permission
2	Can change permission	1	change_permission
3	Can delete permission	1	delete_permission
4	Can view permission	1	view_permission
5	Can add group	2	add_group
6	Can change group	2	change_group
7	Can delete group	2	delete_group
8	Can view group	2	view_group
9	Can add content type	3	add_contenttype
10	Can change content type	3	change_contenttype
11	Can delete content type	3	delete_contenttype
12	Can view content type	3	view_contenttype
13	Can add session	4	add_session
14	Can change session	4	change_session
15	Can delete session	4	delete_session
16	Can view session	4	view_session
17	Can add procrastinate event	5	add_procrastinateevent
18	Can change procrastinate event	5	change_procrastinateevent
19	Can delete procrastinate event	5	delete_procrastinateevent
20	Can view procrastinate event	5	view_procrastinateevent
21	Can add procrastinate job	6	add_procrastinatejob
22	Can change procrastinate job	6	change_procrastinatejob
23	Can delete procrastinate job	6	delete_procrastinatejob
24	Can view procrastinate job	6	view_procrastinatejob
25	Can add procrastinate periodic defer	7	add_procrastinateperiodicdefer
26	Can change procrastinate periodic defer	7	change_procrastinateperiodicdefer
27	Can delete procrastinate periodic defer	7	delete_procrastinateperiodicdefer
28	Can view procrastinate periodic defer	7	view_procrastinateperiodicdefer
29	Can add procrastinate worker	8	add_procrastinateworker
30	Can change procrastinate worker	8	change_procrastinateworker
31	Can delete procrastinate worker	8	delete_procrastinateworker
32	Can view procrastinate worker	8	view_procrastinateworker
33	Can add audit entry	9	add_auditentry
34	Can change audit entry	9	change_auditentry
35	Can delete audit entry	9	delete_auditentry
36	Can view audit entry	9	view_auditentry
37	Can add customer	10	add_customer
38	Can change customer	10	change_customer
39	Can delete customer	10	delete_customer
40	Can view customer	10	view_customer
41	Can add user	11	add_user
42	Can change user	11	change_user
43	Can delete user	11	delete_user
44	Can view user	11	view_user
45	Can add api token	12	add_apitoken
46	Can change api token	12	change_apitoken
47	Can delete api token	12	delete_apitoken
48	Can view api token	12	view_apitoken
49	Can add project	13	add_project
50	Can change project	13	change_project
51	Can delete project	13	delete_project
52	Can view project	13	view_project
53	Can add membership	14	add_membership
54	Can change membership	14	change_membership
55	Can delete membership	14	delete_membership
56	Can view membership	14	view_membership
57	Can add agent	15	add_agent
58	Can change agent	15	change_agent
59	Can delete agent	15	delete_agent
60	Can view agent	15	view_agent
61	Can add flow version	16	add_flowversion
62	Can change flow version	16	change_flowversion
63	Can delete flow version	16	delete_flowversion
64	Can view flow version	16	view_flowversion
65	Can add category	17	add_category
66	Can change category	17	change_category
67	Can delete category	17	delete_category
68	Can view category	17	view_category
69	Can add offering	18	add_offering
70	Can change offering	18	change_offering
71	Can delete offering	18	delete_offering
72	Can view offering	18	view_offering
73	Can add offering component	19	add_offeringcomponent
74	Can change offering component	19	change_offeringcomponent
75	Can delete offering component	19	delete_offeringcomponent
76	Can view offering component	19	view_offeringcomponent
77	Can add plan	20	add_plan
78	Can change plan	20	change_plan
79	Can delete plan	20	delete_plan
80	Can view plan	20	view_plan
81	Can add plan component	21	add_plancomponent
82	Can change plan component	21	change_plancomponent
83	Can delete plan component	21	delete_plancomponent
84	Can view plan component	21	view_plancomponent
85	Can add service provider	22	add_serviceprovider
86	Can change service provider	22	change_serviceprovider
87	Can delete service provider	22	delete_serviceprovider
88	Can view service provider	22	view_serviceprovider
89	Can add resource	23	add_resource
90	Can change resource	23	change_resource
91	Can delete resource	23	delete_resource
92	Can view resource	23	view_resource
93	Can add agent config	24	add_agentconfig
94	Can change agent config	24	change_agentconfig
95	Can delete agent config	24	delete_agentconfig
96	Can view agent config	24	view_agentconfig
97	Can add plan period	25	add_planperiod
98	Can change plan period	25	change_planperiod
99	Can delete plan period	25	delete_planperiod
100	Can view plan period	25	view_planperiod
101	Can add api key	26	add_apikey
102	Can change api key	26	change_apikey
103	Can delete api key	26	delete_apikey
104	Can view api key	26	view_apikey
105	Can add grant row	27	add_grantrow
106	Can change grant row	27	change_grantrow
107	Can delete grant row	27	delete_grantrow
108	Can view grant row	27	view_grantrow
109	Can add order	28	add_order
110	Can change order	28	change_order
111	Can delete order	28	delete_order
112	Can view order	28	view_order
113	Can add call started	29	add_callstarted
114	Can change call started	29	change_callstarted
115	Can delete call started	29	delete_callstarted
116	Can view call started	29	view_callstarted
117	Can add call flag	30	add_callflag
118	Can change call flag	30	change_callflag
119	Can delete call flag	30	delete_callflag
120	Can view call flag	30	view_callflag
121	Can add usage event	31	add_usageevent
122	Can change usage event	31	change_usageevent
123	Can delete usage event	31	delete_usageevent
124	Can view usage event	31	view_usageevent
125	Can add usage hour	32	add_usagehour
126	Can change usage hour	32	change_usagehour
127	Can delete usage hour	32	delete_usagehour
128	Can view usage hour	32	view_usagehour
129	Can add invoice	33	add_invoice
130	Can change invoice	33	change_invoice
131	Can delete invoice	33	delete_invoice
132	Can view invoice	33	view_invoice
133	Can add invoice item	34	add_invoiceitem
134	Can change invoice item	34	change_invoiceitem
135	Can delete invoice item	34	delete_invoiceitem
136	Can view invoice item	34	view_invoiceitem
137	Can add payment	35	add_payment
138	Can change payment	35	change_payment
139	Can delete payment	35	delete_payment
140	Can view payment	35	view_payment
141	Can add billed month	36	add_billedmonth
142	Can change billed month	36	change_billedmonth
143	Can delete billed month	36	delete_billedmonth
144	Can view billed month	36	view_billedmonth
\.
COPY public.billing_invoice (id, created, modified, customer_details, issuer_id, issuer_details, year, month, currency, state, number, price, tax, total, invoice_date, due_date, finalized_at, amount_paid, payment_date, reference_number, backend_id, payment_url, customer_id) FROM stdin;
e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c	2027-01-01 00:00:00.08941+00	2027-01-01 01:00:04.179768+00	{"name": "Acme Corp", "uuid": "5db958c646fe40ba9b4added18a7415b", "email": "billing@buyer.example", "address": "", "country": "US", "vat_code": ""}	f56f60cd-9687-4e0b-af64-935444180611	{"name": "Agentmart operator", "uuid": "f56f60cd96874e0baf64935444180611", "email": "", "address": "", "country": "", "vat_code": ""}	2026	12	USD	created	1	70.9300	0.0000	70.9300	2027-01-01	2027-01-15	2027-01-01 01:00:04.179768+00	0.0000	\N				5db958c6-46fe-40ba-9b4a-dded18a7415b
\.
COPY public.billing_invoice_item (id, created, modified, "position", customer_id, provider_customer_id, project_id, project_name, resource_id, resource_name, offering_id, offering_name, plan_id, plan_name, component_type, name, billing_type, measured_unit, unit, quantity, currency, unit_price, price, tax, total, usage_month, start, "end", late, details, invoice_id) FROM stdin;
5c5a5a1a-abad-4dfc-b693-05a533431d38	2027-01-01 01:00:04.179768+00	2027-01-01 01:00:04.179768+00	1	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	Main	4eef9656-73ad-4ba5-802f-e6fbdf89627b	Support chat	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	Memory Chatbot	ece16bd2-d8af-450c-a188-e077160c1672	Professional	base	Support chat (Professional): Base fee	fixed	month	month	1.0000000000	USD	99.0000000000	69.0600	0.0000	69.0600	2026-12-01	2026-12-10 09:00:03.467121+00	2027-01-01 00:00:00+00	f	{"price": {"model": "fixed", "price": "99", "amount": "1"}, "steps": [{"kind": "fixed", "amount": "99", "quantity": "1", "unit_price": "99"}, {"full": 2678400, "kind": "proration", "used": 1868397, "basis": "second", "amount": "-29.939627016129"}, {"kind": "rounding", "amount": "-0.000372983871"}], "tiers": [], "plan_name": "Professional", "plan_uuid": "ece16bd2d8af450ca188e077160c1672", "proration": {"full_seconds": 2678400, "used_seconds": 1868397}, "offering_name": "Memory Chatbot", "offering_type": "GSVAgents.Agent", "offering_uuid": "c15bed82d1c34a79ab3fe1bafb6565d4", "resource_name": "Support chat", "resource_uuid": "4eef965673ad4ba5802fe6fbdf89627b", "plan_component_id": "ea8f4e1d24c046a6a008572671569940", "service_provider_name": "Flowsmith GmbH", "service_provider_uuid": "059863931fdd4ee2aa9defd7233188b9", "offering_component_name": "Base fee", "offering_component_type": "base"}	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c
6c4c0ad0-8679-4b65-b9d1-c8f208ab35df	2027-01-01 01:00:04.179768+00	2027-01-01 01:00:04.179768+00	2	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	Main	4eef9656-73ad-4ba5-802f-e6fbdf89627b	Support chat	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	Memory Chatbot	ece16bd2-d8af-450c-a188-e077160c1672	Professional	output_tokens	Support chat (Professional): Output tokens	usage	token	quantity	1595.0000000000	USD	0.0000000000	1.6000	0.0000	1.6000	2026-12-01	2026-12-10 09:00:03.467121+00	2027-01-01 00:00:00+00	f	{"price": {"model": "tiered", "tiers": [{"up_to": "500", "flat_price": "0", "unit_price": "0"}, {"up_to": "1000", "flat_price": "0", "unit_price": "0.002"}, {"up_to": null, "flat_price": "0", "unit_price": "0.001"}], "tier_mode": "graduated"}, "steps": [{"flat": "0", "from": "0", "kind": "tier", "tier": 1, "up_to": "500", "amount": "0", "quantity": "500", "unit_price": "0"}, {"flat": "0", "from": "500", "kind": "tier", "tier": 2, "up_to": "1000", "amount": "1", "quantity": "500", "unit_price": "0.002"}, {"flat": "0", "from": "1000", "kind": "tier", "tier": 3, "up_to": null, "amount": "0.595", "quantity": "595", "unit_price": "0.001"}, {"kind": "rounding", "amount": "0.005"}], "tiers": [{"flat": "0", "from": "0", "kind": "tier", "tier": 1, "up_to": "500", "amount": "0", "quantity": "500", "unit_price": "0"}, {"flat": "0", "from": "500", "kind": "tier", "tier": 2, "up_to": "1000", "amount": "1", "quantity": "500", "unit_price": "0.002"}, {"flat": "0", "from": "1000", "kind": "tier", "tier": 3, "up_to": null, "amount": "0.595", "quantity": "595", "unit_price": "0.001"}], "plan_name": "Professional", "plan_uuid": "ece16bd2d8af450ca188e077160c1672", "proration": null, "offering_name": "Memory Chatbot", "offering_type": "GSVAgents.Agent", "offering_uuid": "c15bed82d1c34a79ab3fe1bafb6565d4", "resource_name": "Support chat", "resource_uuid": "4eef965673ad4ba5802fe6fbdf89627b", "plan_component_id": "c2eb26d0fde2478d88e28dfe2c9cdc8c", "service_provider_name": "Flowsmith GmbH", "service_provider_uuid": "059863931fdd4ee2aa9defd7233188b9", "offering_component_name": "Output tokens", "offering_component_type": "output_tokens"}	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c
620b8d6c-57d8-4008-921e-98a3521b5e10	2027-01-01 01:00:04.179768+00	2027-01-01 01:00:04.179768+00	3	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	Main	4eef9656-73ad-4ba5-802f-e6fbdf89627b	Support chat	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	Memory Chatbot	ece16bd2-d8af-450c-a188-e077160c1672	Professional	requests	Support chat (Professional): Requests	usage	request	quantity	27.0000000000	USD	0.0100000000	0.2700	0.0000	0.2700	2026-12-01	2026-12-10 09:00:03.467121+00	2027-01-01 00:00:00+00	f	{"price": {"model": "per_unit", "price": "0.01"}, "steps": [{"kind": "unit", "amount": "0.27", "quantity": "27", "unit_price": "0.01"}], "tiers": [], "plan_name": "Professional", "plan_uuid": "ece16bd2d8af450ca188e077160c1672", "proration": null, "offering_name": "Memory Chatbot", "offering_type": "GSVAgents.Agent", "offering_uuid": "c15bed82d1c34a79ab3fe1bafb6565d4", "resource_name": "Support chat", "resource_uuid": "4eef965673ad4ba5802fe6fbdf89627b", "plan_component_id": "52bc27a984f24e6493e78cda93d000a9", "service_provider_name": "Flowsmith GmbH", "service_provider_uuid": "059863931fdd4ee2aa9defd7233188b9", "offering_component_name": "Requests", "offering_component_type": "requests"}	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c
\.
COPY public.billing_month (id, created, modified, first_day, state, lines, customer_id) FROM stdin;
c23aeb45-31b7-4a37-8506-eea62d7e83a4	2027-01-01 00:00:00.08941+00	2027-01-01 01:00:04.179768+00	2026-12-01	closed	3	5db958c6-46fe-40ba-9b4a-dded18a7415b
\.
COPY public.billing_payment (id, created, modified, customer_id, amount, currency, paid_on, reference, invoice_id) FROM stdin;
\.
COPY public.catalog_category (id, created, modified, title, description) FROM stdin;
00543d8e-27e0-4661-99dc-19f83bdb9aa5	2026-12-10 08:59:59.964151+00	2026-12-10 08:59:59.964151+00	AI Services	
\.
COPY public.catalog_offering (id, created, modified, name, slug, description, type, state, review, paused_reason, shared, billable, plugin_options, agent_id, category_id, customer_id, flow_version_id, service_provider_id, custom_code) FROM stdin;
c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.4903+00	Memory Chatbot	memory-chatbot		GSVAgents.Agent	Active			t	t	{"require_provider_approval": true}	debc1508-ca5b-4c5d-8f6d-6d6b634a7720	00543d8e-27e0-4661-99dc-19f83bdb9aa5	1c9e1542-9f40-410a-9f7f-abfb95776e81	f5f884eb-5050-4e03-a449-16f9dd7d9388	05986393-1fdd-4ee2-aa9d-efd7233188b9	f
ef21d86a-df1d-4b22-97d3-7465d8c43abd	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.759827+00	Echo	echo		GSVAgents.Agent	Active			t	t	{}	1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b	00543d8e-27e0-4661-99dc-19f83bdb9aa5	1c9e1542-9f40-410a-9f7f-abfb95776e81	342f71a1-bf66-4661-81bb-7b6ce4d555db	05986393-1fdd-4ee2-aa9d-efd7233188b9	f
\.
COPY public.catalog_offering_component (id, created, modified, type, name, measured_unit, billing_type, is_builtin, offering_id) FROM stdin;
0961b864-c0ea-47ac-ad57-3ab78d7b5634	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	base	Base fee	month	fixed	t	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4
f6088665-55ac-4b5d-9aa4-97127b386fe0	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	requests	Requests	request	usage	t	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4
474a92d8-bf1b-42f8-a5ba-ed63abd0e445	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	input_tokens	Input tokens	token	usage	t	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4
740a4111-5292-4267-ab8b-32f849e032a2	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	output_tokens	Output tokens	token	usage	t	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4
7416f656-21a8-4c4e-af5c-bbe3f21d3245	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	base	Base fee	month	fixed	t	ef21d86a-df1d-4b22-97d3-7465d8c43abd
fff810fe-50ae-42db-9a87-9444c16a9ee2	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	requests	Requests	request	usage	t	ef21d86a-df1d-4b22-97d3-7465d8c43abd
e4bc3a4e-f399-48d4-8286-ec8f903f584b	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	input_tokens	Input tokens	token	usage	t	ef21d86a-df1d-4b22-97d3-7465d8c43abd
01ef4418-3a9a-48fe-b054-105583412f4e	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	output_tokens	Output tokens	token	usage	t	ef21d86a-df1d-4b22-97d3-7465d8c43abd
\.
COPY public.catalog_plan (id, created, modified, name, description, unit, interval_count, currency, limits, archived, max_amount, offering_id) FROM stdin;
ece16bd2-d8af-450c-a188-e077160c1672	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	Professional		month	1	USD	{"streaming": true, "max_context_tokens": 8192, "concurrent_requests": 5, "requests_per_minute": 120}	f	\N	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4
a534dfa6-f9a9-46b2-a098-b03ed071c225	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	Free		month	1	USD	{"streaming": false, "concurrent_requests": 1, "requests_per_minute": 3}	f	\N	ef21d86a-df1d-4b22-97d3-7465d8c43abd
\.
COPY public.catalog_plan_component (id, created, modified, amount, price, component_id, offering_id, plan_id) FROM stdin;
ea8f4e1d-24c0-46a6-a008-572671569940	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	1	{"model": "fixed", "price": "99", "amount": "1"}	0961b864-c0ea-47ac-ad57-3ab78d7b5634	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672
52bc27a9-84f2-4e64-93e7-8cda93d000a9	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	0	{"model": "per_unit", "price": "0.01"}	f6088665-55ac-4b5d-9aa4-97127b386fe0	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672
c2eb26d0-fde2-478d-88e2-8dfe2c9cdc8c	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	0	{"model": "tiered", "tiers": [{"up_to": "500", "flat_price": "0", "unit_price": "0"}, {"up_to": "1000", "flat_price": "0", "unit_price": "0.002"}, {"up_to": null, "flat_price": "0", "unit_price": "0.001"}], "tier_mode": "graduated"}	740a4111-5292-4267-ab8b-32f849e032a2	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672
02791dd0-40fe-43c0-9788-ad9db5466d80	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	1	{"model": "fixed", "price": "0", "amount": "1"}	7416f656-21a8-4c4e-af5c-bbe3f21d3245	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225
0ce10894-5321-4ff8-9555-51a85d72977a	2026-12-10 09:00:02.614873+00	2026-12-10 09:00:02.614873+00	0	{"model": "per_unit", "price": "0.05"}	fff810fe-50ae-42db-9a87-9444c16a9ee2	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225
\.
COPY public.catalog_service_provider (id, created, modified, name, description, customer_id) FROM stdin;
05986393-1fdd-4ee2-aa9d-efd7233188b9	2026-12-10 09:00:02.276558+00	2026-12-10 09:00:02.276558+00	Flowsmith GmbH		1c9e1542-9f40-410a-9f7f-abfb95776e81
\.
COPY public.django_content_type (id, app_label, model) FROM stdin;
1	auth	permission
2	auth	group
3	contenttypes	contenttype
4	sessions	session
5	procrastinate	procrastinateevent
6	procrastinate	procrastinatejob
7	procrastinate	procrastinateperiodicdefer
8	procrastinate	procrastinateworker
9	infra	auditentry
10	identity	customer
11	identity	user
12	identity	apitoken
13	identity	project
14	identity	membership
15	agents	agent
16	agents	flowversion
17	catalog	category
18	catalog	offering
19	catalog	offeringcomponent
20	catalog	plan
21	catalog	plancomponent
22	catalog	serviceprovider
23	resources	resource
24	resources	agentconfig
25	resources	planperiod
26	access	apikey
27	access	grantrow
28	ordering	order
29	metering	callstarted
30	metering	callflag
31	metering	usageevent
32	metering	usagehour
33	billing	invoice
34	billing	invoiceitem
35	billing	payment
36	billing	billedmonth
\.
COPY public.django_migrations (id, app, name, applied) FROM stdin;
1	infra	0001_initial	2026-11-21 00:25:51.929177+00
2	access	0001_initial	2026-11-21 00:25:51.995292+00
3	contenttypes	0001_initial	2026-11-21 00:25:52.006209+00
4	contenttypes	0002_remove_content_type_name	2026-11-21 00:25:52.031747+00
5	auth	0001_initial	2026-11-21 00:25:52.139781+00
6	auth	0002_alter_permission_name_max_length	2026-11-21 00:25:52.159993+00
7	auth	0003_alter_user_email_max_length	2026-11-21 00:25:52.17458+00
8	auth	0004_alter_user_username_opts	2026-11-21 00:25:52.214101+00
9	auth	0005_alter_user_last_login_null	2026-11-21 00:25:52.253423+00
10	auth	0006_require_contenttypes_0002	2026-11-21 00:25:52.263847+00
11	auth	0007_alter_validators_add_error_messages	2026-11-21 00:25:52.295759+00
12	auth	0008_alter_user_username_max_length	2026-11-21 00:25:52.341786+00
13	auth	0009_alter_user_last_name_max_length	2026-11-21 00:25:52.370954+00
14	auth	0010_alter_group_name_max_length	2026-11-21 00:25:52.436106+00
15	auth	0011_update_proxy_permissions	2026-11-21 00:25:52.482309+00
16	auth	0012_alter_user_first_name_max_length	2026-11-21 00:25:52.545154+00
17	identity	0001_initial	2026-11-21 00:25:52.987923+00
18	agents	0001_initial	2026-11-21 00:25:53.194093+00
19	billing	0001_initial	2026-11-21 00:25:54.024027+00
20	billing	0002_invoices_begin_as_drafts	2026-11-21 00:25:54.040545+00
21	catalog	0001_initial	2026-11-21 00:25:55.488113+00
22	catalog	0002_custom_code_and_owners_write	2026-11-21 00:25:55.631189+00
23	metering	0001_initial	2026-11-21 00:25:55.783799+00
24	metering	0002_written_by_the_system	2026-11-21 00:25:55.901521+00
25	resources	0001_initial	2026-11-21 00:25:56.50398+00
26	ordering	0001_initial	2026-11-21 00:25:56.755781+00
27	procrastinate	0001_initial	2026-11-21 00:25:56.807664+00
28	procrastinate	0002_drop_started_at_column	2026-11-21 00:25:56.815849+00
29	procrastinate	0003_drop_started_at_column	2026-11-21 00:25:56.825416+00
30	procrastinate	0004_drop_procrastinate_version_table	2026-11-21 00:25:56.847766+00
31	procrastinate	0005_fix_procrastinate_fetch_job	2026-11-21 00:25:56.855715+00
32	procrastinate	0006_fix_trigger_status_events_insert	2026-11-21 00:25:56.867908+00
33	procrastinate	0007_add_queueing_lock_column	2026-11-21 00:25:56.879392+00
34	procrastinate	0008_close_fetch_job_race_condition	2026-11-21 00:25:56.903732+00
35	procrastinate	0009_add_defer_job_function	2026-11-21 00:25:56.912738+00
36	procrastinate	0010_add_procrastinate_periodic_defers	2026-11-21 00:25:56.925105+00
37	procrastinate	0011_add_foreign_key_index	2026-11-21 00:25:56.933273+00
38	procrastinate	0012_add_locks_to_periodic_defer	2026-11-21 00:25:56.940251+00
39	procrastinate	0013_fix_procrastinate_defer_periodic_job	2026-11-21 00:25:56.948079+00
40	procrastinate	0014_add_finish_job_and_retry_job_functions	2026-11-21 00:25:56.953517+00
41	procrastinate	0015_add_trigger_on_job_deletion	2026-11-21 00:25:56.959906+00
42	procrastinate	0016_delete_finished_jobs	2026-11-21 00:25:56.964534+00
43	procrastinate	0017_add_checks_to_finish_job	2026-11-21 00:25:56.970345+00
44	procrastinate	0018_add_checks_to_retry_job	2026-11-21 00:25:56.974466+00
45	procrastinate	0019_fix_finish_job_compat_issue	2026-11-21 00:25:56.983827+00
46	procrastinate	0020_add_index_on_procrastinate_jobs	2026-11-21 00:25:56.989952+00
47	procrastinate	0021_add_kwargs_to_defer_periodic_job	2026-11-21 00:25:56.996926+00
48	procrastinate	0022_null_locks_excluded	2026-11-21 00:25:57.002513+00
49	procrastinate	0023_remove_old_finish_job_function	2026-11-21 00:25:57.021755+00
50	procrastinate	0024_job_id_bigint	2026-11-21 00:25:57.032343+00
51	procrastinate	0025_add_models	2026-11-21 00:25:57.055225+00
52	procrastinate	0026_add_job_priority	2026-11-21 00:25:57.0651+00
53	procrastinate	0027_add_periodic_job_priority	2026-11-21 00:25:57.07971+00
54	procrastinate	0028_add_cancel_states	2026-11-21 00:25:57.104895+00
55	procrastinate	0029_add_additional_params_to_retry_job	2026-11-21 00:25:57.110719+00
56	procrastinate	0030_alter_procrastinateevent_options	2026-11-21 00:25:57.127353+00
57	procrastinate	0031_add_indexes_for_fetch_job	2026-11-21 00:25:57.140652+00
58	procrastinate	0032_pre_cancel_notification	2026-11-21 00:25:57.154632+00
59	procrastinate	0033_post_cancel_notification	2026-11-21 00:25:57.223621+00
60	procrastinate	0034_pre_add_heartbeat	2026-11-21 00:25:57.333133+00
61	procrastinate	0035_post_add_heartbeat	2026-11-21 00:25:57.371852+00
62	procrastinate	0036_add_worker_model	2026-11-21 00:25:57.393602+00
63	procrastinate	0037_pre_batch_defer_jobs	2026-11-21 00:25:57.421399+00
64	procrastinate	0038_post_batch_defer_jobs	2026-11-21 00:25:57.44219+00
65	procrastinate	0039_pre_priority_lock_fetch_job	2026-11-21 00:25:57.484576+00
66	procrastinate	0040_pre_retry_failed_job	2026-11-21 00:25:57.503975+00
67	procrastinate	0041_post_retry_failed_job	2026-11-21 00:25:57.518523+00
68	sessions	0001_initial	2026-11-21 00:25:57.54958+00
\.
COPY public.django_session (session_key, session_data, expire_date) FROM stdin;
\.
COPY public.identity_api_token (id, created, modified, token_sha256, expires_at, user_id) FROM stdin;
8d8245bb-0697-49e9-a194-d5c1e4d29bc9	2026-11-21 00:26:05.444136+00	2026-11-21 00:26:05.444136+00	\\xfa9098ffd1bff8ec2c55aacd92ff2f948ea8def64156cfb7826e3cf3b0f86ba0	\N	424a5a5f-6883-4763-b8c9-f1e49319d542
295828af-14ce-4f93-99e5-9eca2ecacd91	2026-12-10 09:00:01.11611+00	2026-12-10 09:00:01.11611+00	\\xc5b74e57dac7be99486dd5291730c04337035d861691ba3e447faa0db1791c67	\N	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437
f5318f26-3424-43ae-a4ca-470669c75d12	2026-12-10 09:00:01.429681+00	2026-12-10 09:00:01.429681+00	\\x998587b69501719f06970b280318c4a3d1a6fbc426079c019dc9303b4d9a0867	\N	7eedc81b-4937-47b1-8e51-e16b6c32465c
c9e442dd-5c78-42ea-b389-fc772935b44e	2026-12-10 09:00:01.619943+00	2026-12-10 09:00:01.619943+00	\\x81a9b4a65b182fe06a73515147c31ec4eeb8bd8b60b8462bdffe4d42cb8b6d47	\N	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347
\.
COPY public.identity_customer (id, created, modified, name, email, country, vat_code, address, currency, blocked, blocked_reason, archived, is_operator, custom_code_allowed) FROM stdin;
f56f60cd-9687-4e0b-af64-935444180611	2026-11-21 00:25:58.132517+00	2026-11-21 00:25:58.132517+00	Agentmart operator					USD	f		f	t	f
1c9e1542-9f40-410a-9f7f-abfb95776e81	2026-12-10 09:00:00.799587+00	2026-12-10 09:00:00.799587+00	Flowsmith GmbH	billing@provider.example	US			USD	f		f	f	f
5db958c6-46fe-40ba-9b4a-dded18a7415b	2026-12-10 09:00:01.154197+00	2026-12-10 09:00:01.154197+00	Acme Corp	billing@buyer.example	US			USD	f		f	f	f
224488c2-0cee-408b-a345-3cdd38cd4336	2026-12-10 09:00:01.447617+00	2026-12-10 09:00:01.447617+00	Next Door Ltd	billing@neighbour.example	US			USD	f		f	f	f
\.
COPY public.identity_membership (id, created, modified, role, expires_at, customer_id, user_id, project_id) FROM stdin;
eb417361-2838-40a3-ad80-6f489592e4fb	2026-12-10 09:00:01.078151+00	2026-12-10 09:00:01.078151+00	CUSTOMER.OWNER	\N	1c9e1542-9f40-410a-9f7f-abfb95776e81	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	\N
307c91a6-9b3b-4cda-a8ff-bc90fce48a89	2026-12-10 09:00:01.357657+00	2026-12-10 09:00:01.357657+00	CUSTOMER.OWNER	\N	5db958c6-46fe-40ba-9b4a-dded18a7415b	7eedc81b-4937-47b1-8e51-e16b6c32465c	\N
25d2f27e-6137-43fd-9093-b52ee7398612	2026-12-10 09:00:01.583478+00	2026-12-10 09:00:01.583478+00	CUSTOMER.OWNER	\N	224488c2-0cee-408b-a345-3cdd38cd4336	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	\N
\.
COPY public.identity_project (id, created, modified, name, description, customer_id) FROM stdin;
ef620a45-99f7-46c2-95f5-f74c33efdb17	2026-12-10 09:00:00.989635+00	2026-12-10 09:00:00.989635+00	Main		1c9e1542-9f40-410a-9f7f-abfb95776e81
7453a82e-e67e-4856-be11-875489cf3577	2026-12-10 09:00:01.281657+00	2026-12-10 09:00:01.281657+00	Main		5db958c6-46fe-40ba-9b4a-dded18a7415b
bc5d5508-ab68-43dd-9d62-700b4ca26c63	2026-12-10 09:00:01.49041+00	2026-12-10 09:00:01.49041+00	Main		224488c2-0cee-408b-a345-3cdd38cd4336
\.
COPY public.identity_user (password, last_login, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined, id, is_support, is_finance, is_catalog_manager) FROM stdin;
!	\N	t	admin				t	t	2026-11-21 00:26:05.444136+00	424a5a5f-6883-4763-b8c9-f1e49319d542	f	f	f
!	\N	f	provider				f	t	2026-12-10 09:00:01.031563+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	f	f	f
!	\N	f	buyer				f	t	2026-12-10 09:00:01.315781+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	f	f	f
!	\N	f	neighbour				f	t	2026-12-10 09:00:01.539563+00	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	f	f	f
\.
COPY public.identity_user_groups (id, user_id, group_id) FROM stdin;
\.
COPY public.identity_user_user_permissions (id, user_id, permission_id) FROM stdin;
\.
COPY public.infra_audit_entry (id, at, actor_id, actor_name, action, object_type, object_id, customer_id, before, after, request_id) FROM stdin;
539ea938-adae-465d-9a55-4903ce48a2dc	2026-11-21 00:25:58.132517+00	\N	install	customer.created	identity.customer	f56f60cd-9687-4e0b-af64-935444180611	f56f60cd-9687-4e0b-af64-935444180611	{}	{"name": "Agentmart operator", "currency": "USD", "is_operator": true}	
96170254-5c35-434b-a1b3-edfd586834d1	2026-11-21 00:26:05.444136+00	\N	createstaff	user.created	identity.user	424a5a5f-6883-4763-b8c9-f1e49319d542	\N	{}	{"username": "admin"}	
539b01e9-5f51-40f1-8c89-53f36d06144b	2026-11-21 00:26:05.444136+00	\N	createstaff	user.token_refreshed	identity.user	424a5a5f-6883-4763-b8c9-f1e49319d542	\N	{}	{}	
5fdbca8e-5d4f-453a-a1e8-7dd8888f88ae	2026-12-10 08:59:59.964151+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	category.created	catalog.category	00543d8e-27e0-4661-99dc-19f83bdb9aa5	\N	{}	{"title": "AI Services"}	f4623680db424f0db9f384cd53126002
b21de8c1-1f86-43b9-beb6-91536b3fc29b	2026-12-10 09:00:00.799587+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	customer.created	identity.customer	1c9e1542-9f40-410a-9f7f-abfb95776e81	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Flowsmith GmbH", "email": "billing@provider.example", "country": "US"}	dc163d479b7544c5bdeaffcaecfa041b
355bb848-f2cb-48bf-baf4-001cc2786e2d	2026-12-10 09:00:00.989635+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	project.created	identity.project	ef620a45-99f7-46c2-95f5-f74c33efdb17	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Main"}	4faa6935fbeb4670a588edfcf2d42a6a
73380219-d715-44b2-bbb6-f64b478a7ce5	2026-12-10 09:00:01.031563+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.created	identity.user	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	\N	{}	{"username": "provider"}	e966cb703c064dc19e3a963a3fc30860
0631795a-8084-4eb1-9576-dc28d1e63527	2026-12-10 09:00:01.078151+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	member.added	identity.membership	eb417361-2838-40a3-ad80-6f489592e4fb	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"role": "CUSTOMER.OWNER", "user": "provider"}	9747c628f1d44ebcbfc54fe79cf40422
7115e143-9fc5-4f63-86bb-bf7b0b4213ec	2026-12-10 09:00:01.11611+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.token_refreshed	identity.user	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	\N	{}	{}	dadad8bf78804799bfaff6d384df33df
ab5ba957-d534-484e-95ab-da7b06ff42b5	2026-12-10 09:00:01.154197+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	customer.created	identity.customer	5db958c6-46fe-40ba-9b4a-dded18a7415b	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"name": "Acme Corp", "email": "billing@buyer.example", "country": "US"}	0873bf3bbad24f388f8d1151da016c88
b5aa269b-1651-45e3-ad2b-79fe0bddb8c9	2026-12-10 09:00:01.281657+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	project.created	identity.project	7453a82e-e67e-4856-be11-875489cf3577	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"name": "Main"}	4df36c381763401e9b2a95b4aa31ef8a
2646bbb4-4153-4798-b406-977af5cf7344	2026-12-10 09:00:01.315781+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.created	identity.user	7eedc81b-4937-47b1-8e51-e16b6c32465c	\N	{}	{"username": "buyer"}	375eff1901f2462ca55d58cb4fb30f9c
dd739398-7360-41e6-bb67-50a58753a678	2026-12-10 09:00:01.357657+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	member.added	identity.membership	307c91a6-9b3b-4cda-a8ff-bc90fce48a89	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"role": "CUSTOMER.OWNER", "user": "buyer"}	599a4fbc12244792a6c7437dfbde7b06
ef4ab200-27a7-41d6-9c6a-b417e487955e	2026-12-10 09:00:01.429681+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.token_refreshed	identity.user	7eedc81b-4937-47b1-8e51-e16b6c32465c	\N	{}	{}	fcefc352c2db480fa1a2161fb8d08d6d
5ce8d873-95b3-4237-a712-909a6aeba10f	2026-12-10 09:00:01.447617+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	customer.created	identity.customer	224488c2-0cee-408b-a345-3cdd38cd4336	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"name": "Next Door Ltd", "email": "billing@neighbour.example", "country": "US"}	887cd4c6b333495592647ec473b3e47c
431aefa1-5391-4767-9981-38c686a75105	2026-12-10 09:00:01.49041+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	project.created	identity.project	bc5d5508-ab68-43dd-9d62-700b4ca26c63	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"name": "Main"}	89cf17013c9b4e54895fc70f254db3f1
469c3b0c-569d-403f-923b-4c6456ceb333	2026-12-10 09:00:01.539563+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.created	identity.user	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	\N	{}	{"username": "neighbour"}	d61b148ee7a043c2bd29fed99373ff8d
30d30272-b0d3-401e-98c7-c743b023f66f	2026-12-10 09:00:01.583478+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	member.added	identity.membership	25d2f27e-6137-43fd-9093-b52ee7398612	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"role": "CUSTOMER.OWNER", "user": "neighbour"}	b8bef9cd58ec494ea85c50814eb4207a
77bbdd3b-deb9-45b7-8c0e-ce82575462a7	2026-12-10 09:00:01.619943+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	user.token_refreshed	identity.user	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	\N	{}	{}	60c86275f04f484e97947cb065cba04a
94c7168e-7c49-42dd-a6d9-c4e2776deb1e	2026-12-10 09:00:01.647913+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.created	agents.agent	1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Echo"}	ed6d468dacea47c2bfacdfa64c62cef7
8565c993-fa26-4f78-82e8-67d8afc02a2b	2026-12-10 09:00:01.794695+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	flow_version.imported	agents.flowversion	342f71a1-bf66-4661-81bb-7b6ce4d555db	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"sha256": "11238b7e9b373c6a8e407b95d27aafee19cf0d1f055c644bfee62ad9265ac46f", "version": 1}	724445fc176e46bfa7a73e9e92b0e2eb
f07da19f-b1c3-439e-b0ba-5dae1f3d4d36	2026-12-10 09:00:01.794695+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.validated	agents.agent	1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "draft"}	{"state": "validated"}	724445fc176e46bfa7a73e9e92b0e2eb
89354d57-cdc8-4a44-bb14-979306f655c4	2026-12-10 09:00:01.91099+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.created	agents.agent	debc1508-ca5b-4c5d-8f6d-6d6b634a7720	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Memory Chatbot"}	e9b639d3b21c421884ee4bc384ff1b7c
6908f197-bd37-4ec3-8e0a-589fbb631be3	2026-12-10 09:00:02.002392+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	flow_version.imported	agents.flowversion	f5f884eb-5050-4e03-a449-16f9dd7d9388	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"sha256": "7cc49e8e83f25b452a9f136c0740005059a32b8ee0329263f6055227669109df", "version": 1}	e94adbbed3854750add2e8ca89aca776
ea28d0da-e9bb-4b1a-a01d-2d3d1fa3d8e8	2026-12-10 09:00:02.002392+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.validated	agents.agent	debc1508-ca5b-4c5d-8f6d-6d6b634a7720	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "draft"}	{"state": "validated"}	e94adbbed3854750add2e8ca89aca776
2b3efba0-bef1-4d03-a3eb-7ca734bbaf0f	2026-12-10 09:00:02.276558+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	service_provider.registered	catalog.serviceprovider	05986393-1fdd-4ee2-aa9d-efd7233188b9	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{}	6331057dfdb548f7ae2444ee99764562
519fd8e5-0cf3-4af5-95cb-ad9362d32d81	2026-12-10 09:00:02.276558+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	offering.created	catalog.offering	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Memory Chatbot", "type": "GSVAgents.Agent"}	6331057dfdb548f7ae2444ee99764562
6e51e576-83af-418d-8ce7-a5676c1cba2b	2026-12-10 09:00:02.276558+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	plan.created	catalog.plan	ece16bd2-d8af-450c-a188-e077160c1672	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Professional"}	6331057dfdb548f7ae2444ee99764562
582f4696-43a7-44a5-8721-fd0190a1d3a6	2026-12-10 09:00:02.276558+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	offering.published	catalog.offering	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"version": 1, "custom_code": false}	6331057dfdb548f7ae2444ee99764562
4a04cf39-42d2-4641-b093-1b6ee6fcbb72	2026-12-10 09:00:02.276558+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.published	agents.agent	debc1508-ca5b-4c5d-8f6d-6d6b634a7720	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "validated"}	{"state": "published"}	6331057dfdb548f7ae2444ee99764562
18fd3694-ed87-44a7-b605-816e21dca0c6	2026-12-10 09:00:02.4903+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	offering.activated	catalog.offering	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "Draft"}	{"state": "Active"}	29f7e586f6a1444290ef9f91c84ff8b0
14798046-9517-4af5-b9eb-6e2d65b15b3a	2026-12-10 09:00:02.614873+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	offering.created	catalog.offering	ef21d86a-df1d-4b22-97d3-7465d8c43abd	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Echo", "type": "GSVAgents.Agent"}	578a2f6b62bf47d9b193f67a58c62bc3
f5324c59-0e96-4d06-b936-c7677780e8f5	2026-12-10 09:00:02.614873+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	plan.created	catalog.plan	a534dfa6-f9a9-46b2-a098-b03ed071c225	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"name": "Free"}	578a2f6b62bf47d9b193f67a58c62bc3
7f0279a0-e5c7-4b1c-9061-3c3db24da281	2026-12-10 09:00:02.614873+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	offering.published	catalog.offering	ef21d86a-df1d-4b22-97d3-7465d8c43abd	1c9e1542-9f40-410a-9f7f-abfb95776e81	{}	{"version": 1, "custom_code": false}	578a2f6b62bf47d9b193f67a58c62bc3
7cac93d1-fa51-49b2-8baa-9a159a510558	2026-12-10 09:00:02.614873+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	agent.published	agents.agent	1cf69b79-3618-4ed2-a0d5-6b6267ab0d3b	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "validated"}	{"state": "published"}	578a2f6b62bf47d9b193f67a58c62bc3
27433496-f8db-405a-a18e-5c29b290fc3c	2026-12-10 09:00:02.759827+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	offering.activated	catalog.offering	ef21d86a-df1d-4b22-97d3-7465d8c43abd	1c9e1542-9f40-410a-9f7f-abfb95776e81	{"state": "Draft"}	{"state": "Active"}	9c7f1eca778a4bbe8c05a805c5f602cc
bc83b390-bac5-4a81-8bb3-e7a36a5a1d09	2026-12-10 09:00:02.871811+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	resource.created	resources.resource	4eef9656-73ad-4ba5-802f-e6fbdf89627b	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"name": "Support chat"}	d46e0f189c094767ba1bec2973467fd9
80e7e7fe-9063-4a1f-b620-42d8316bb516	2026-12-10 09:00:02.871811+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	order.placed	ordering.order	08272904-138c-4c5a-9d87-613718d5a05a	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"type": "Create", "state": "pending-provider", "resource": "Support chat"}	d46e0f189c094767ba1bec2973467fd9
3b271588-62b7-4af9-917a-4c57086e3ecc	2026-12-10 09:00:11.73367+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	api_key.revoked	access.apikey	3304c8fc-1f50-4753-8440-bb2da7dca3e8	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{}	639b972a3a1a47fbabb44ac14f59379d
0a7e8346-9e5c-469b-bc7d-171c7f1a0d96	2026-12-10 09:00:11.688923+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	api_key.issued	access.apikey	3304c8fc-1f50-4753-8440-bb2da7dca3e8	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"name": "To be revoked", "scopes": ["agent:invoke", "agent:stream"]}	e403322cf0d34ebbb68b311a9952d56d
d1df309a-29f4-4d0a-abf5-5dcfcdd051ba	2027-01-01 01:00:04.179768+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	invoice.finalized	billing.invoice	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c	5db958c6-46fe-40ba-9b4a-dded18a7415b	{"state": "pending_finalization"}	{"state": "created"}	eb68e5721a8342dc903885deddee5e13
b0ce8d23-127a-47c2-8afe-23942c4716db	2026-12-10 09:00:03.023817+00	dc7eb48a-429e-4c7b-8dd1-3e7df65c2437	provider	order.approved	ordering.order	08272904-138c-4c5a-9d87-613718d5a05a	5db958c6-46fe-40ba-9b4a-dded18a7415b	{"state": "pending-provider"}	{"state": "executing"}	02b1fb439c4148d9b90623930b8dc8df
3ff9bcf9-4ab4-457b-9107-4ca7a9e186d2	2026-12-10 09:00:03.467121+00	\N	ordering.execute_order	resource.activated	resources.resource	4eef9656-73ad-4ba5-802f-e6fbdf89627b	5db958c6-46fe-40ba-9b4a-dded18a7415b	{"state": "Creating"}	{"state": "OK"}	02b1fb439c4148d9b90623930b8dc8df
b8daf3b1-8a0b-4d25-bb3a-6c1371cf799f	2026-12-10 09:00:03.467121+00	\N	ordering.execute_order	order.done	ordering.order	08272904-138c-4c5a-9d87-613718d5a05a	5db958c6-46fe-40ba-9b4a-dded18a7415b	{"state": "executing"}	{"state": "done"}	02b1fb439c4148d9b90623930b8dc8df
6febf51d-e0d2-4663-a4ec-22eedd39b657	2026-12-10 09:00:03.600988+00	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	neighbour	resource.created	resources.resource	b08054f4-868f-44cd-9dcd-5f52301d8c41	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"name": "Echo"}	ed18964d5f2f4629870223dcf76d6dfb
8573c79c-08f6-4155-a2b5-5105e8303de3	2026-12-10 09:00:03.600988+00	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	neighbour	order.placed	ordering.order	1c708cf8-ea00-48da-b514-70cf8693d943	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"type": "Create", "state": "executing", "resource": "Echo"}	ed18964d5f2f4629870223dcf76d6dfb
333b22f7-4e04-4b4c-a504-3c1eedefa64f	2026-12-10 09:00:03.850459+00	\N	ordering.execute_order	resource.activated	resources.resource	b08054f4-868f-44cd-9dcd-5f52301d8c41	224488c2-0cee-408b-a345-3cdd38cd4336	{"state": "Creating"}	{"state": "OK"}	ed18964d5f2f4629870223dcf76d6dfb
19465d0e-4be4-4420-a1bd-55725e63ddb3	2026-12-10 09:00:03.850459+00	\N	ordering.execute_order	order.done	ordering.order	1c708cf8-ea00-48da-b514-70cf8693d943	224488c2-0cee-408b-a345-3cdd38cd4336	{"state": "executing"}	{"state": "done"}	ed18964d5f2f4629870223dcf76d6dfb
8b3f4322-a3f8-45b7-9dda-e8d37fc36d41	2026-12-10 09:00:04.080041+00	7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	api_key.issued	access.apikey	d60dddde-656b-4e94-811f-9732eac0c3bf	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"name": "Demo", "scopes": ["agent:invoke", "agent:stream"]}	e6c70ff0f1af473c842979c0b71cb4ed
111e339d-4ff4-4397-88e8-e44d5772dcce	2026-12-10 09:00:11.794732+00	d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	neighbour	api_key.issued	access.apikey	1f769627-7653-4f8f-b478-9616f51a8e6c	224488c2-0cee-408b-a345-3cdd38cd4336	{}	{"name": "Demo", "scopes": ["agent:invoke", "agent:stream"]}	208af484f7494a89b966b0df36766814
9ee78035-2e66-4bc6-becd-4cdf5957a38a	2027-01-01 00:00:00.08941+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	invoice.drafted	billing.invoice	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c	5db958c6-46fe-40ba-9b4a-dded18a7415b	{}	{"month": "2026-12", "currency": "USD"}	c09dd1616733498c87a0a2ef70dcc86c
793a6851-ac23-4cf2-91c7-13825c554cc3	2027-01-01 00:00:00.08941+00	424a5a5f-6883-4763-b8c9-f1e49319d542	admin	invoice.month_ended	billing.invoice	e76fa8ff-2c3f-48a2-9deb-09f2fd545b7c	5db958c6-46fe-40ba-9b4a-dded18a7415b	{"state": "pending"}	{"state": "pending_finalization"}	c09dd1616733498c87a0a2ef70dcc86c
\.
COPY public.metering_call_flag (call_id, customer_id, provider_customer_id, resource_id, key_id, started_at, flagged_at, outcome) FROM stdin;
\.
COPY public.metering_call_started (call_id, customer_id, provider_customer_id, resource_id, key_id, gateway_id, started_at) FROM stdin;
\.
COPY public.metering_usage_event_2026_12 (id, customer_id, provider_customer_id, project_id, resource_id, offering_id, plan_id, key_id, flow_version_id, occurred_at, received_at, status, requests, input_tokens, output_tokens, source, duration_ms, streamed, error_code, meters) FROM stdin;
01a25f2e-5eb7-763e-ade7-ec340b8ef2bb	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:04.151+00	2026-12-10 09:00:04.514005+00	ok	1	193	36	runtime	363	t		{}
01a25f2e-602b-74f9-922b-917071e6211c	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:04.523+00	2026-12-10 09:00:04.834192+00	ok	1	244	61	runtime	310	f		{}
01a25f2e-6178-74f1-a872-037268494e14	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:04.856+00	2026-12-10 09:00:05.257541+00	ok	1	320	61	runtime	401	f		{}
01a25f2e-6313-7e0a-b7fb-a9a742c5f000	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:05.267+00	2026-12-10 09:00:05.563088+00	ok	1	396	61	runtime	295	f		{}
01a25f2e-644c-73a6-8a39-0a8ea4c2eaba	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:05.58+00	2026-12-10 09:00:05.854259+00	ok	1	472	61	runtime	274	f		{}
01a25f2e-656a-7e7d-9a3b-2e30d5bad9e7	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:05.866+00	2026-12-10 09:00:06.248793+00	ok	1	548	61	runtime	383	t		{}
01a25f2e-66f3-78a5-9ac3-fa4eaa2b53e6	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:06.259+00	2026-12-10 09:00:06.540776+00	ok	1	624	61	runtime	282	f		{}
01a25f2e-681d-7c49-9ef9-893330a7f612	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:06.557+00	2026-12-10 09:00:06.876786+00	ok	1	700	61	runtime	319	f		{}
01a25f2e-6961-7bfe-b9bb-90e719de0fb7	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:06.881+00	2026-12-10 09:00:07.215987+00	ok	1	776	61	runtime	334	f		{}
01a25f2e-6ab6-7551-be84-6e28778bd320	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:07.222+00	2026-12-10 09:00:07.52746+00	ok	1	852	61	runtime	305	f		{}
01a25f2e-6bf0-7956-9548-aa223655b424	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:07.536+00	2026-12-10 09:00:07.935375+00	ok	1	928	61	runtime	399	t		{}
01a25f2e-6d96-7291-a5a6-8037754a92e5	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:07.958+00	2026-12-10 09:00:08.254885+00	ok	1	1004	61	runtime	297	f		{}
01a25f2e-6ec4-7ddc-aaa6-2db5125a9782	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:08.26+00	2026-12-10 09:00:08.590259+00	ok	1	1080	61	runtime	330	f		{}
01a25f2e-7017-77b6-9e5c-b3e7e81b0c89	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:08.599+00	2026-12-10 09:00:08.8137+00	ok	1	1156	61	runtime	214	f		{}
01a25f2e-70fa-768f-bdde-6e2bdd8371e3	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:08.826+00	2026-12-10 09:00:09.152466+00	ok	1	1232	61	runtime	326	f		{}
01a25f2e-725b-70c2-bd5f-29cf47ab4d9e	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:09.179+00	2026-12-10 09:00:09.44058+00	ok	1	1308	61	runtime	261	t		{}
01a25f2e-7367-7ecc-8145-e4b2c1426057	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:09.447+00	2026-12-10 09:00:09.616048+00	ok	1	1384	61	runtime	168	f		{}
01a25f2e-7417-7b50-9d75-0ad5838bf523	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:09.623+00	2026-12-10 09:00:09.814333+00	ok	1	1460	61	runtime	190	f		{}
01a25f2e-74e2-7581-a62f-d1808f05cde9	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:09.826+00	2026-12-10 09:00:10.031502+00	ok	1	1536	61	runtime	205	f		{}
01a25f2e-75bb-74f2-87c1-54dbb97246b6	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:10.043+00	2026-12-10 09:00:10.228391+00	ok	1	1612	61	runtime	184	f		{}
01a25f2e-7678-74d7-9b0c-9646db4ad836	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:10.232+00	2026-12-10 09:00:10.424464+00	ok	1	1688	61	runtime	192	t		{}
01a25f2e-773a-7198-a2c6-d3d3e775f365	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:10.426+00	2026-12-10 09:00:10.644777+00	ok	1	1764	61	runtime	218	f		{}
01a25f2e-7817-7962-bb57-0f5aa3680781	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:10.647+00	2026-12-10 09:00:10.825679+00	ok	1	1840	61	runtime	178	f		{}
01a25f2e-78cd-79d7-9c4d-1d7e163998e7	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:10.829+00	2026-12-10 09:00:11.077608+00	ok	1	1916	61	runtime	248	f		{}
01a25f2e-79ce-7135-b84a-4fd1fcdcc9d9	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:11.086+00	2026-12-10 09:00:11.315361+00	ok	1	1992	61	runtime	229	f		{}
01a25f2e-7ab9-7418-b6e7-0ec510f69dc4	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:11.321+00	2026-12-10 09:00:11.521142+00	ok	1	2066	60	runtime	200	f		{}
01a25f2e-7b84-7083-9474-5c2ad3bbcb1e	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	d60dddde-656b-4e94-811f-9732eac0c3bf	f5f884eb-5050-4e03-a449-16f9dd7d9388	2026-12-10 09:00:11.524+00	2026-12-10 09:00:11.679204+00	ok	1	191	35	runtime	154	f		{}
01a25f2e-7cbd-7afa-893c-d891062e48ce	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	bc5d5508-ab68-43dd-9d62-700b4ca26c63	b08054f4-868f-44cd-9dcd-5f52301d8c41	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	1f769627-7653-4f8f-b478-9616f51a8e6c	342f71a1-bf66-4661-81bb-7b6ce4d555db	2026-12-10 09:00:11.837+00	2026-12-10 09:00:11.864204+00	ok	1	3	3	counted	26	f		{}
01a25f2e-7cdf-70be-9a72-d49434b0b7da	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	bc5d5508-ab68-43dd-9d62-700b4ca26c63	b08054f4-868f-44cd-9dcd-5f52301d8c41	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	1f769627-7653-4f8f-b478-9616f51a8e6c	342f71a1-bf66-4661-81bb-7b6ce4d555db	2026-12-10 09:00:11.871+00	2026-12-10 09:00:11.90039+00	ok	1	3	3	counted	29	f		{}
01a25f2e-7d04-7d10-a6eb-cbc91656fd69	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	bc5d5508-ab68-43dd-9d62-700b4ca26c63	b08054f4-868f-44cd-9dcd-5f52301d8c41	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	1f769627-7653-4f8f-b478-9616f51a8e6c	342f71a1-bf66-4661-81bb-7b6ce4d555db	2026-12-10 09:00:11.908+00	2026-12-10 09:00:11.968643+00	ok	1	3	3	counted	60	f		{}
\.
COPY public.metering_usage_event_default (id, customer_id, provider_customer_id, project_id, resource_id, offering_id, plan_id, key_id, flow_version_id, occurred_at, received_at, status, requests, input_tokens, output_tokens, source, duration_ms, streamed, error_code, meters) FROM stdin;
\.
COPY public.metering_usage_hour (resource_id, hour, plan_key, customer_id, provider_customer_id, project_id, offering_id, events, errors, requests, input_tokens, output_tokens) FROM stdin;
4eef9656-73ad-4ba5-802f-e6fbdf89627b	2026-12-10 09:00:00+00	ece16bd2-d8af-450c-a188-e077160c1672	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	7453a82e-e67e-4856-be11-875489cf3577	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	27	0	27	29282	1595
b08054f4-868f-44cd-9dcd-5f52301d8c41	2026-12-10 09:00:00+00	a534dfa6-f9a9-46b2-a098-b03ed071c225	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	bc5d5508-ab68-43dd-9d62-700b4ca26c63	ef21d86a-df1d-4b22-97d3-7465d8c43abd	3	0	3	9	9
\.
COPY public.ordering_order (id, created, modified, type, state, customer_name, project_name, provider_customer_id, resource_name, attributes, limits, cost, request_comment, created_by_id, created_by_username, consumer_reviewed_by, consumer_reviewed_at, consumer_rejection_comment, provider_reviewed_by, provider_reviewed_at, provider_rejection_comment, error_message, completed_at, customer_id, offering_id, plan_id, project_id, resource_id) FROM stdin;
08272904-138c-4c5a-9d87-613718d5a05a	2026-12-10 09:00:02.871811+00	2026-12-10 09:00:03.467121+00	Create	done	Acme Corp	Main	1c9e1542-9f40-410a-9f7f-abfb95776e81	Support chat	{"name": "Support chat"}	{}	\N		7eedc81b-4937-47b1-8e51-e16b6c32465c	buyer	buyer	2026-12-10 09:00:02.871811+00		provider	2026-12-10 09:00:03.023817+00			2026-12-10 09:00:03.467121+00	5db958c6-46fe-40ba-9b4a-dded18a7415b	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	7453a82e-e67e-4856-be11-875489cf3577	4eef9656-73ad-4ba5-802f-e6fbdf89627b
1c708cf8-ea00-48da-b514-70cf8693d943	2026-12-10 09:00:03.600988+00	2026-12-10 09:00:03.850459+00	Create	done	Next Door Ltd	Main	1c9e1542-9f40-410a-9f7f-abfb95776e81	Echo	{}	{}	\N		d92d9a48-36cd-4d96-8a8b-ad7a23ebd347	neighbour	neighbour	2026-12-10 09:00:03.600988+00			\N			2026-12-10 09:00:03.850459+00	224488c2-0cee-408b-a345-3cdd38cd4336	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	bc5d5508-ab68-43dd-9d62-700b4ca26c63	b08054f4-868f-44cd-9dcd-5f52301d8c41
\.
COPY public.procrastinate_events (id, job_id, type, at) FROM stdin;
\.
COPY public.procrastinate_jobs (id, queue_name, task_name, lock, args, status, scheduled_at, attempts, queueing_lock, priority, abort_requested, worker_id) FROM stdin;
1	default	infra.rescue_stalled_jobs	\N	{"timestamp": 1795220760}	succeeded	\N	1	infra.rescue_stalled_jobs	0	f	\N
2	default	metering.sweep_calls	\N	{"timestamp": 1795220760}	succeeded	\N	1	metering.sweep_calls	0	f	\N
3	default	billing.close_periods	\N	{"timestamp": 1795220760}	succeeded	\N	1	billing.close_periods	0	f	\N
4	default	infra.rescue_stalled_jobs	\N	{"timestamp": 1795220770}	succeeded	\N	1	infra.rescue_stalled_jobs	0	f	\N
5	default	metering.sweep_calls	\N	{"timestamp": 1795220770}	succeeded	\N	1	metering.sweep_calls	0	f	\N
6	default	ordering.execute_order	\N	{"order_id": "08272904-138c-4c5a-9d87-613718d5a05a", "request_id": "02b1fb439c4148d9b90623930b8dc8df"}	succeeded	\N	1	\N	0	f	\N
7	default	ordering.execute_order	\N	{"order_id": "1c708cf8-ea00-48da-b514-70cf8693d943", "request_id": "ed18964d5f2f4629870223dcf76d6dfb"}	succeeded	\N	1	\N	0	f	\N
8	default	infra.rescue_stalled_jobs	\N	{"timestamp": 1795220780}	succeeded	\N	1	infra.rescue_stalled_jobs	0	f	\N
9	default	metering.sweep_calls	\N	{"timestamp": 1795220780}	succeeded	\N	1	metering.sweep_calls	0	f	\N
\.
COPY public.procrastinate_periodic_defers (id, task_name, defer_timestamp, job_id, periodic_id) FROM stdin;
3	billing.close_periods	1795220760	3	
6	infra.rescue_stalled_jobs	1795220780	8	
7	metering.sweep_calls	1795220780	9	
\.
COPY public.procrastinate_workers (id, last_heartbeat) FROM stdin;
\.
COPY public.resources_agent_config (id, created, modified, customer_id, name, tweaks, tweakable, resource_id) FROM stdin;
9c0031b9-cdec-4c42-8260-289c6a13ffd4	2026-12-10 09:00:03.467121+00	2026-12-10 09:00:03.467121+00	5db958c6-46fe-40ba-9b4a-dded18a7415b	Support chat	{}	[]	4eef9656-73ad-4ba5-802f-e6fbdf89627b
e7db6609-4c06-4d58-8e30-b60d3c146f43	2026-12-10 09:00:03.850459+00	2026-12-10 09:00:03.850459+00	224488c2-0cee-408b-a345-3cdd38cd4336	Echo	{}	[]	b08054f4-868f-44cd-9dcd-5f52301d8c41
\.
COPY public.resources_plan_period (id, created, modified, customer_id, provider_customer_id, start, "end", plan_id, resource_id) FROM stdin;
c87686b7-9310-4b84-90fc-b05a61538a2a	2026-12-10 09:00:03.467121+00	2026-12-10 09:00:03.467121+00	5db958c6-46fe-40ba-9b4a-dded18a7415b	1c9e1542-9f40-410a-9f7f-abfb95776e81	2026-12-10 09:00:03.467121+00	\N	ece16bd2-d8af-450c-a188-e077160c1672	4eef9656-73ad-4ba5-802f-e6fbdf89627b
aa175e50-22d4-4eef-a065-70c096a72277	2026-12-10 09:00:03.850459+00	2026-12-10 09:00:03.850459+00	224488c2-0cee-408b-a345-3cdd38cd4336	1c9e1542-9f40-410a-9f7f-abfb95776e81	2026-12-10 09:00:03.850459+00	\N	a534dfa6-f9a9-46b2-a098-b03ed071c225	b08054f4-868f-44cd-9dcd-5f52301d8c41
\.
COPY public.resources_resource (id, created, modified, customer_name, project_name, provider_customer_id, runtime, name, state, paused, error_message, activated_at, terminated_at, customer_id, flow_version_id, offering_id, plan_id, project_id) FROM stdin;
4eef9656-73ad-4ba5-802f-e6fbdf89627b	2026-12-10 09:00:02.871811+00	2026-12-10 09:00:03.467121+00	Acme Corp	Main	1c9e1542-9f40-410a-9f7f-abfb95776e81	embedded	Support chat	OK	f		2026-12-10 09:00:03.467121+00	\N	5db958c6-46fe-40ba-9b4a-dded18a7415b	f5f884eb-5050-4e03-a449-16f9dd7d9388	c15bed82-d1c3-4a79-ab3f-e1bafb6565d4	ece16bd2-d8af-450c-a188-e077160c1672	7453a82e-e67e-4856-be11-875489cf3577
b08054f4-868f-44cd-9dcd-5f52301d8c41	2026-12-10 09:00:03.600988+00	2026-12-10 09:00:03.850459+00	Next Door Ltd	Main	1c9e1542-9f40-410a-9f7f-abfb95776e81	embedded	Echo	OK	f		2026-12-10 09:00:03.850459+00	\N	224488c2-0cee-408b-a345-3cdd38cd4336	342f71a1-bf66-4661-81bb-7b6ce4d555db	ef21d86a-df1d-4b22-97d3-7465d8c43abd	a534dfa6-f9a9-46b2-a098-b03ed071c225	bc5d5508-ab68-43dd-9d62-700b4ca26c63
\.
SELECT pg_catalog.setval('public.auth_group_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_group_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.auth_permission_id_seq', 144, true);
SELECT pg_catalog.setval('public.django_content_type_id_seq', 36, true);
SELECT pg_catalog.setval('public.django_migrations_id_seq', 68, true);
SELECT pg_catalog.setval('public.identity_user_groups_id_seq', 1, false);
SELECT pg_catalog.setval('public.identity_user_user_permissions_id_seq', 1, false);
SELECT pg_catalog.setval('public.procrastinate_events_id_seq', 27, true);
SELECT pg_catalog.setval('public.procrastinate_jobs_id_seq', 9, true);
SELECT pg_catalog.setval('public.procrastinate_periodic_defers_id_seq', 7, true);
SELECT pg_catalog.setval('public.procrastinate_workers_id_seq', 1, true);
ALTER TABLE ONLY public.access_api_key
    ADD CONSTRAINT access_api_key_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.access_grant
    ADD CONSTRAINT access_grant_pkey PRIMARY KEY (key_id);
ALTER TABLE ONLY public.agents_agent
    ADD CONSTRAINT agents_agent_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.agents_flow_version
    ADD CONSTRAINT agents_flow_version_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_name_key UNIQUE (name);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_permission_id_0cd325b0_uniq UNIQUE (group_id, permission_id);
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_group
    ADD CONSTRAINT auth_group_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_codename_01ab375a_uniq UNIQUE (content_type_id, codename);
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_month
    ADD CONSTRAINT billed_month_once UNIQUE (customer_id, first_day);
ALTER TABLE ONLY public.billing_invoice_item
    ADD CONSTRAINT billing_invoice_item_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_invoice
    ADD CONSTRAINT billing_invoice_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_month
    ADD CONSTRAINT billing_month_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_payment
    ADD CONSTRAINT billing_payment_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_category
    ADD CONSTRAINT catalog_category_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_agent_id_key UNIQUE (agent_id);
ALTER TABLE ONLY public.catalog_offering_component
    ADD CONSTRAINT catalog_offering_component_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_slug_key UNIQUE (slug);
ALTER TABLE ONLY public.catalog_plan_component
    ADD CONSTRAINT catalog_plan_component_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_plan
    ADD CONSTRAINT catalog_plan_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_service_provider
    ADD CONSTRAINT catalog_service_provider_customer_id_key UNIQUE (customer_id);
ALTER TABLE ONLY public.catalog_service_provider
    ADD CONSTRAINT catalog_service_provider_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_app_label_model_76bd3d3b_uniq UNIQUE (app_label, model);
ALTER TABLE ONLY public.django_content_type
    ADD CONSTRAINT django_content_type_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_migrations
    ADD CONSTRAINT django_migrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.django_session
    ADD CONSTRAINT django_session_pkey PRIMARY KEY (session_key);
ALTER TABLE ONLY public.agents_flow_version
    ADD CONSTRAINT flow_version_content_once UNIQUE (agent_id, sha256);
ALTER TABLE ONLY public.agents_flow_version
    ADD CONSTRAINT flow_version_number_once UNIQUE (agent_id, version);
ALTER TABLE ONLY public.identity_api_token
    ADD CONSTRAINT identity_api_token_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_api_token
    ADD CONSTRAINT identity_api_token_token_sha256_key UNIQUE (token_sha256);
ALTER TABLE ONLY public.identity_api_token
    ADD CONSTRAINT identity_api_token_user_id_key UNIQUE (user_id);
ALTER TABLE ONLY public.identity_customer
    ADD CONSTRAINT identity_customer_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_membership
    ADD CONSTRAINT identity_membership_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_project
    ADD CONSTRAINT identity_project_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_user_groups
    ADD CONSTRAINT identity_user_groups_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_user_groups
    ADD CONSTRAINT identity_user_groups_user_id_group_id_ece29599_uniq UNIQUE (user_id, group_id);
ALTER TABLE ONLY public.identity_user
    ADD CONSTRAINT identity_user_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_user_user_permissions
    ADD CONSTRAINT identity_user_user_permi_user_id_permission_id_1becc26c_uniq UNIQUE (user_id, permission_id);
ALTER TABLE ONLY public.identity_user_user_permissions
    ADD CONSTRAINT identity_user_user_permissions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.identity_user
    ADD CONSTRAINT identity_user_username_key UNIQUE (username);
ALTER TABLE ONLY public.infra_audit_entry
    ADD CONSTRAINT infra_audit_entry_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.billing_invoice
    ADD CONSTRAINT invoice_number_once UNIQUE (issuer_id, number);
ALTER TABLE ONLY public.billing_invoice_item
    ADD CONSTRAINT invoice_position_once UNIQUE (invoice_id, "position");
ALTER TABLE ONLY public.identity_membership
    ADD CONSTRAINT membership_once UNIQUE NULLS NOT DISTINCT (user_id, customer_id, project_id, role);
ALTER TABLE ONLY public.metering_call_flag
    ADD CONSTRAINT metering_call_flag_pkey PRIMARY KEY (call_id);
ALTER TABLE ONLY public.metering_call_started
    ADD CONSTRAINT metering_call_started_pkey PRIMARY KEY (call_id);
ALTER TABLE ONLY public.metering_usage_event
    ADD CONSTRAINT metering_usage_event_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.metering_usage_event_2026_12
    ADD CONSTRAINT metering_usage_event_2026_12_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.metering_usage_event_default
    ADD CONSTRAINT metering_usage_event_default_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.metering_usage_hour
    ADD CONSTRAINT metering_usage_hour_pkey PRIMARY KEY (resource_id, hour, plan_key);
ALTER TABLE ONLY public.catalog_offering_component
    ADD CONSTRAINT offering_component_type_once UNIQUE (offering_id, type);
ALTER TABLE ONLY public.billing_invoice
    ADD CONSTRAINT one_invoice_per_month UNIQUE (customer_id, year, month, currency, issuer_id);
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.catalog_plan_component
    ADD CONSTRAINT plan_component_once UNIQUE (plan_id, component_id);
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_unique UNIQUE (task_name, periodic_id, defer_timestamp);
ALTER TABLE ONLY public.procrastinate_workers
    ADD CONSTRAINT procrastinate_workers_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.resources_agent_config
    ADD CONSTRAINT resources_agent_config_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.resources_agent_config
    ADD CONSTRAINT resources_agent_config_resource_id_key UNIQUE (resource_id);
ALTER TABLE ONLY public.resources_plan_period
    ADD CONSTRAINT resources_plan_period_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_pkey PRIMARY KEY (id);
CREATE INDEX access_api_key_config_id_67589f7e ON public.access_api_key USING btree (config_id);
CREATE INDEX access_api_key_created_c6e9d38a ON public.access_api_key USING btree (created);
CREATE INDEX access_api_key_customer_id_b75ee7ec ON public.access_api_key USING btree (customer_id);
CREATE INDEX access_grant_customer_id_ca84d691 ON public.access_grant USING btree (customer_id);
CREATE INDEX access_grant_offering_id_bb7eb8a3 ON public.access_grant USING btree (offering_id);
CREATE INDEX access_grant_resource_id_0bf8a56d ON public.access_grant USING btree (resource_id);
CREATE INDEX agents_agent_created_9662370e ON public.agents_agent USING btree (created);
CREATE INDEX agents_agent_customer_id_3d741fab ON public.agents_agent USING btree (customer_id);
CREATE INDEX agents_flow_version_agent_id_5131d640 ON public.agents_flow_version USING btree (agent_id);
CREATE INDEX agents_flow_version_customer_id_707efae0 ON public.agents_flow_version USING btree (customer_id);
CREATE INDEX auth_group_name_a6ea08ec_like ON public.auth_group USING btree (name varchar_pattern_ops);
CREATE INDEX auth_group_permissions_group_id_b120cbf9 ON public.auth_group_permissions USING btree (group_id);
CREATE INDEX auth_group_permissions_permission_id_84c5c92e ON public.auth_group_permissions USING btree (permission_id);
CREATE INDEX auth_permission_content_type_id_2f476e4b ON public.auth_permission USING btree (content_type_id);
CREATE INDEX billing_invoice_created_1344c510 ON public.billing_invoice USING btree (created);
CREATE INDEX billing_invoice_customer_id_12e1ebba ON public.billing_invoice USING btree (customer_id);
CREATE INDEX billing_invoice_item_created_6355b963 ON public.billing_invoice_item USING btree (created);
CREATE INDEX billing_invoice_item_customer_id_ecc96d39 ON public.billing_invoice_item USING btree (customer_id);
CREATE INDEX billing_invoice_item_invoice_id_7d2588db ON public.billing_invoice_item USING btree (invoice_id);
CREATE INDEX billing_invoice_item_provider_customer_id_58205381 ON public.billing_invoice_item USING btree (provider_customer_id);
CREATE INDEX billing_item_usage_month ON public.billing_invoice_item USING btree (customer_id, usage_month);
CREATE INDEX billing_month_created_2b0d3df0 ON public.billing_month USING btree (created);
CREATE INDEX billing_month_customer_id_1affd9ed ON public.billing_month USING btree (customer_id);
CREATE INDEX billing_payment_created_343744b7 ON public.billing_payment USING btree (created);
CREATE INDEX billing_payment_customer_id_d41cd1dd ON public.billing_payment USING btree (customer_id);
CREATE INDEX billing_payment_invoice_id_998dd3c5 ON public.billing_payment USING btree (invoice_id);
CREATE INDEX catalog_category_created_ef6b8de6 ON public.catalog_category USING btree (created);
CREATE INDEX catalog_offering_category_id_cacb6af5 ON public.catalog_offering USING btree (category_id);
CREATE INDEX catalog_offering_component_created_a14bbe5e ON public.catalog_offering_component USING btree (created);
CREATE INDEX catalog_offering_component_offering_id_07aa1736 ON public.catalog_offering_component USING btree (offering_id);
CREATE INDEX catalog_offering_created_2bcaae2a ON public.catalog_offering USING btree (created);
CREATE INDEX catalog_offering_customer_id_d44e0422 ON public.catalog_offering USING btree (customer_id);
CREATE INDEX catalog_offering_flow_version_id_473e13db ON public.catalog_offering USING btree (flow_version_id);
CREATE INDEX catalog_offering_service_provider_id_ce352b0c ON public.catalog_offering USING btree (service_provider_id);
CREATE INDEX catalog_offering_slug_fad84e68_like ON public.catalog_offering USING btree (slug varchar_pattern_ops);
CREATE INDEX catalog_plan_component_component_id_a4a311ea ON public.catalog_plan_component USING btree (component_id);
CREATE INDEX catalog_plan_component_created_43632937 ON public.catalog_plan_component USING btree (created);
CREATE INDEX catalog_plan_component_offering_id_612faaea ON public.catalog_plan_component USING btree (offering_id);
CREATE INDEX catalog_plan_component_plan_id_86ab6eb1 ON public.catalog_plan_component USING btree (plan_id);
CREATE INDEX catalog_plan_created_86060bca ON public.catalog_plan USING btree (created);
CREATE INDEX catalog_plan_offering_id_59c3f87f ON public.catalog_plan USING btree (offering_id);
CREATE INDEX catalog_service_provider_created_8678a637 ON public.catalog_service_provider USING btree (created);
CREATE INDEX django_session_expire_date_a5c62663 ON public.django_session USING btree (expire_date);
CREATE INDEX django_session_session_key_c0390e0f_like ON public.django_session USING btree (session_key varchar_pattern_ops);
CREATE INDEX identity_api_token_created_78853c42 ON public.identity_api_token USING btree (created);
CREATE INDEX identity_customer_created_c2820915 ON public.identity_customer USING btree (created);
CREATE INDEX identity_membership_created_2bd4028c ON public.identity_membership USING btree (created);
CREATE INDEX identity_membership_customer_id_88c3324e ON public.identity_membership USING btree (customer_id);
CREATE INDEX identity_membership_project_id_db95f43e ON public.identity_membership USING btree (project_id);
CREATE INDEX identity_membership_user_id_91967c9a ON public.identity_membership USING btree (user_id);
CREATE INDEX identity_project_created_e2c78c66 ON public.identity_project USING btree (created);
CREATE INDEX identity_project_customer_id_f0e75414 ON public.identity_project USING btree (customer_id);
CREATE INDEX identity_user_groups_group_id_cdb422da ON public.identity_user_groups USING btree (group_id);
CREATE INDEX identity_user_groups_user_id_f69e0c80 ON public.identity_user_groups USING btree (user_id);
CREATE INDEX identity_user_user_permissions_permission_id_c8f2cf2f ON public.identity_user_user_permissions USING btree (permission_id);
CREATE INDEX identity_user_user_permissions_user_id_a626cb1f ON public.identity_user_user_permissions USING btree (user_id);
CREATE INDEX identity_user_username_e9275a70_like ON public.identity_user USING btree (username varchar_pattern_ops);
CREATE INDEX idx_procrastinate_jobs_worker_not_null ON public.procrastinate_jobs USING btree (worker_id) WHERE ((worker_id IS NOT NULL) AND (status = 'doing'::public.procrastinate_job_status));
CREATE INDEX idx_procrastinate_workers_last_heartbeat ON public.procrastinate_workers USING btree (last_heartbeat);
CREATE INDEX infra_audit_entry_at_b4406720 ON public.infra_audit_entry USING btree (at);
CREATE INDEX infra_audit_object ON public.infra_audit_entry USING btree (object_type, object_id, at);
CREATE INDEX metering_call_started_started_at_c9d276bc ON public.metering_call_started USING btree (started_at);
CREATE INDEX metering_usage_event_resource ON ONLY public.metering_usage_event USING btree (resource_id, id);
CREATE INDEX metering_usage_event_2026_12_resource_id_id_idx ON public.metering_usage_event_2026_12 USING btree (resource_id, id);
CREATE INDEX metering_usage_event_default_resource_id_id_idx ON public.metering_usage_event_default USING btree (resource_id, id);
CREATE INDEX metering_usage_hour_customer ON public.metering_usage_hour USING btree (customer_id, hour);
CREATE UNIQUE INDEX one_open_create_order_per_name ON public.ordering_order USING btree (project_id, offering_id, resource_name) WHERE (((state)::text = ANY ((ARRAY['pending-consumer'::character varying, 'pending-provider'::character varying, 'executing'::character varying])::text[])) AND ((type)::text = 'Create'::text));
CREATE UNIQUE INDEX one_open_order_per_resource ON public.ordering_order USING btree (resource_id) WHERE ((state)::text = ANY ((ARRAY['pending-consumer'::character varying, 'pending-provider'::character varying, 'executing'::character varying])::text[]));
CREATE UNIQUE INDEX one_open_plan_period ON public.resources_plan_period USING btree (resource_id) WHERE ("end" IS NULL);
CREATE INDEX ordering_order_created_5930324f ON public.ordering_order USING btree (created);
CREATE INDEX ordering_order_customer_id_db5570b3 ON public.ordering_order USING btree (customer_id);
CREATE INDEX ordering_order_offering_id_365f6ba9 ON public.ordering_order USING btree (offering_id);
CREATE INDEX ordering_order_plan_id_1882157f ON public.ordering_order USING btree (plan_id);
CREATE INDEX ordering_order_project_id_b4b475a3 ON public.ordering_order USING btree (project_id);
CREATE INDEX ordering_order_provider_customer_id_1747cf40 ON public.ordering_order USING btree (provider_customer_id);
CREATE INDEX ordering_order_resource_id_4cafe6af ON public.ordering_order USING btree (resource_id);
CREATE INDEX procrastinate_events_job_id_fkey_v1 ON public.procrastinate_events USING btree (job_id);
CREATE INDEX procrastinate_jobs_id_lock_idx_v1 ON public.procrastinate_jobs USING btree (id, lock) WHERE (status = ANY (ARRAY['todo'::public.procrastinate_job_status, 'doing'::public.procrastinate_job_status]));
CREATE UNIQUE INDEX procrastinate_jobs_lock_idx_v1 ON public.procrastinate_jobs USING btree (lock) WHERE (status = 'doing'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_priority_idx_v1 ON public.procrastinate_jobs USING btree (priority DESC, id) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_jobs_queue_name_idx_v1 ON public.procrastinate_jobs USING btree (queue_name);
CREATE UNIQUE INDEX procrastinate_jobs_queueing_lock_idx_v1 ON public.procrastinate_jobs USING btree (queueing_lock) WHERE (status = 'todo'::public.procrastinate_job_status);
CREATE INDEX procrastinate_periodic_defers_job_id_fkey_v1 ON public.procrastinate_periodic_defers USING btree (job_id);
CREATE INDEX resources_agent_config_created_48269105 ON public.resources_agent_config USING btree (created);
CREATE INDEX resources_agent_config_customer_id_0f87c695 ON public.resources_agent_config USING btree (customer_id);
CREATE INDEX resources_plan_period_created_f5db179c ON public.resources_plan_period USING btree (created);
CREATE INDEX resources_plan_period_customer_id_19d26940 ON public.resources_plan_period USING btree (customer_id);
CREATE INDEX resources_plan_period_plan_id_18d50352 ON public.resources_plan_period USING btree (plan_id);
CREATE INDEX resources_plan_period_resource_id_fdae3cbd ON public.resources_plan_period USING btree (resource_id);
CREATE INDEX resources_resource_created_3184ebe9 ON public.resources_resource USING btree (created);
CREATE INDEX resources_resource_customer_id_672a60d9 ON public.resources_resource USING btree (customer_id);
CREATE INDEX resources_resource_flow_version_id_cb7ab0f0 ON public.resources_resource USING btree (flow_version_id);
CREATE INDEX resources_resource_offering_id_6c88c089 ON public.resources_resource USING btree (offering_id);
CREATE INDEX resources_resource_plan_id_a0d985cf ON public.resources_resource USING btree (plan_id);
CREATE INDEX resources_resource_project_id_008118b0 ON public.resources_resource USING btree (project_id);
CREATE INDEX resources_resource_provider_customer_id_1c4e5149 ON public.resources_resource USING btree (provider_customer_id);
ALTER INDEX public.metering_usage_event_pkey ATTACH PARTITION public.metering_usage_event_2026_12_pkey;
ALTER INDEX public.metering_usage_event_resource ATTACH PARTITION public.metering_usage_event_2026_12_resource_id_id_idx;
ALTER INDEX public.metering_usage_event_pkey ATTACH PARTITION public.metering_usage_event_default_pkey;
ALTER INDEX public.metering_usage_event_resource ATTACH PARTITION public.metering_usage_event_default_resource_id_id_idx;
CREATE TRIGGER agents_flow_version_append_only BEFORE DELETE OR UPDATE ON public.agents_flow_version FOR EACH ROW EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER agents_flow_version_no_truncate BEFORE TRUNCATE ON public.agents_flow_version FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER billing_invoice_begin_as_draft BEFORE INSERT ON public.billing_invoice FOR EACH ROW EXECUTE FUNCTION public.billing_begin_as_draft();
CREATE TRIGGER billing_invoice_item_keep_final BEFORE INSERT OR DELETE OR UPDATE ON public.billing_invoice_item FOR EACH ROW EXECUTE FUNCTION public.billing_keep_final_item();
CREATE TRIGGER billing_invoice_item_no_truncate BEFORE TRUNCATE ON public.billing_invoice_item FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER billing_invoice_keep_final BEFORE DELETE OR UPDATE ON public.billing_invoice FOR EACH ROW EXECUTE FUNCTION public.billing_keep_final_invoice();
CREATE TRIGGER billing_invoice_no_truncate BEFORE TRUNCATE ON public.billing_invoice FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER billing_payment_append_only BEFORE DELETE OR UPDATE ON public.billing_payment FOR EACH ROW EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER billing_payment_no_truncate BEFORE TRUNCATE ON public.billing_payment FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER infra_audit_entry_append_only BEFORE DELETE OR UPDATE ON public.infra_audit_entry FOR EACH ROW EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER infra_audit_entry_no_truncate BEFORE TRUNCATE ON public.infra_audit_entry FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER metering_usage_event_2026_12_no_truncate BEFORE TRUNCATE ON public.metering_usage_event_2026_12 FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER metering_usage_event_append_only BEFORE DELETE OR UPDATE ON public.metering_usage_event FOR EACH ROW EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER metering_usage_event_default_no_truncate BEFORE TRUNCATE ON public.metering_usage_event_default FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER metering_usage_event_no_truncate BEFORE TRUNCATE ON public.metering_usage_event FOR EACH STATEMENT EXECUTE FUNCTION public.agentmart_refuse_change();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_aborted_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN (((old.abort_requested = false) AND (new.abort_requested = true) AND (new.status = 'doing'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_notify_queue_abort_job_v1();
CREATE TRIGGER procrastinate_jobs_notify_queue_job_inserted_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_notify_queue_job_inserted_v1();
CREATE TRIGGER procrastinate_trigger_abort_requested_events_v1 AFTER UPDATE OF abort_requested ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.abort_requested = true)) EXECUTE FUNCTION public.procrastinate_trigger_abort_requested_events_procedure_v1();
CREATE TRIGGER procrastinate_trigger_delete_jobs_v1 BEFORE DELETE ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_unlink_periodic_defers_v1();
CREATE TRIGGER procrastinate_trigger_scheduled_events_v1 AFTER INSERT OR UPDATE ON public.procrastinate_jobs FOR EACH ROW WHEN (((new.scheduled_at IS NOT NULL) AND (new.status = 'todo'::public.procrastinate_job_status))) EXECUTE FUNCTION public.procrastinate_trigger_function_scheduled_events_v1();
CREATE TRIGGER procrastinate_trigger_status_events_insert_v1 AFTER INSERT ON public.procrastinate_jobs FOR EACH ROW WHEN ((new.status = 'todo'::public.procrastinate_job_status)) EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_insert_v1();
CREATE TRIGGER procrastinate_trigger_status_events_update_v1 AFTER UPDATE OF status ON public.procrastinate_jobs FOR EACH ROW EXECUTE FUNCTION public.procrastinate_trigger_function_status_events_update_v1();
ALTER TABLE ONLY public.agents_agent
    ADD CONSTRAINT agents_agent_customer_id_3d741fab_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.agents_flow_version
    ADD CONSTRAINT agents_flow_version_agent_id_5131d640_fk_agents_agent_id FOREIGN KEY (agent_id) REFERENCES public.agents_agent(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissio_permission_id_84c5c92e_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_group_permissions
    ADD CONSTRAINT auth_group_permissions_group_id_b120cbf9_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.auth_permission
    ADD CONSTRAINT auth_permission_content_type_id_2f476e4b_fk_django_co FOREIGN KEY (content_type_id) REFERENCES public.django_content_type(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_invoice
    ADD CONSTRAINT billing_invoice_customer_id_12e1ebba_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_invoice_item
    ADD CONSTRAINT billing_invoice_item_invoice_id_7d2588db_fk_billing_invoice_id FOREIGN KEY (invoice_id) REFERENCES public.billing_invoice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_month
    ADD CONSTRAINT billing_month_customer_id_1affd9ed_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.billing_payment
    ADD CONSTRAINT billing_payment_invoice_id_998dd3c5_fk_billing_invoice_id FOREIGN KEY (invoice_id) REFERENCES public.billing_invoice(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_agent_id_625f72a8_fk_agents_agent_id FOREIGN KEY (agent_id) REFERENCES public.agents_agent(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_category_id_cacb6af5_fk_catalog_category_id FOREIGN KEY (category_id) REFERENCES public.catalog_category(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering_component
    ADD CONSTRAINT catalog_offering_com_offering_id_07aa1736_fk_catalog_o FOREIGN KEY (offering_id) REFERENCES public.catalog_offering(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_customer_id_d44e0422_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_flow_version_id_473e13db_fk_agents_fl FOREIGN KEY (flow_version_id) REFERENCES public.agents_flow_version(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_offering
    ADD CONSTRAINT catalog_offering_service_provider_id_ce352b0c_fk_catalog_s FOREIGN KEY (service_provider_id) REFERENCES public.catalog_service_provider(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_plan_component
    ADD CONSTRAINT catalog_plan_compone_component_id_a4a311ea_fk_catalog_o FOREIGN KEY (component_id) REFERENCES public.catalog_offering_component(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_plan_component
    ADD CONSTRAINT catalog_plan_compone_offering_id_612faaea_fk_catalog_o FOREIGN KEY (offering_id) REFERENCES public.catalog_offering(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_plan_component
    ADD CONSTRAINT catalog_plan_component_plan_id_86ab6eb1_fk_catalog_plan_id FOREIGN KEY (plan_id) REFERENCES public.catalog_plan(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_plan
    ADD CONSTRAINT catalog_plan_offering_id_59c3f87f_fk_catalog_offering_id FOREIGN KEY (offering_id) REFERENCES public.catalog_offering(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.catalog_service_provider
    ADD CONSTRAINT catalog_service_prov_customer_id_5b5e635e_fk_identity_ FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_api_token
    ADD CONSTRAINT identity_api_token_user_id_37293c5d_fk_identity_user_id FOREIGN KEY (user_id) REFERENCES public.identity_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_membership
    ADD CONSTRAINT identity_membership_customer_id_88c3324e_fk_identity_ FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_membership
    ADD CONSTRAINT identity_membership_project_id_db95f43e_fk_identity_project_id FOREIGN KEY (project_id) REFERENCES public.identity_project(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_membership
    ADD CONSTRAINT identity_membership_user_id_91967c9a_fk_identity_user_id FOREIGN KEY (user_id) REFERENCES public.identity_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_project
    ADD CONSTRAINT identity_project_customer_id_f0e75414_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_user_groups
    ADD CONSTRAINT identity_user_groups_group_id_cdb422da_fk_auth_group_id FOREIGN KEY (group_id) REFERENCES public.auth_group(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_user_groups
    ADD CONSTRAINT identity_user_groups_user_id_f69e0c80_fk_identity_user_id FOREIGN KEY (user_id) REFERENCES public.identity_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_user_user_permissions
    ADD CONSTRAINT identity_user_user_p_permission_id_c8f2cf2f_fk_auth_perm FOREIGN KEY (permission_id) REFERENCES public.auth_permission(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.identity_user_user_permissions
    ADD CONSTRAINT identity_user_user_p_user_id_a626cb1f_fk_identity_ FOREIGN KEY (user_id) REFERENCES public.identity_user(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_customer_id_db5570b3_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_offering_id_365f6ba9_fk_catalog_offering_id FOREIGN KEY (offering_id) REFERENCES public.catalog_offering(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_plan_id_1882157f_fk_catalog_plan_id FOREIGN KEY (plan_id) REFERENCES public.catalog_plan(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_project_id_b4b475a3_fk_identity_project_id FOREIGN KEY (project_id) REFERENCES public.identity_project(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.ordering_order
    ADD CONSTRAINT ordering_order_resource_id_4cafe6af_fk_resources_resource_id FOREIGN KEY (resource_id) REFERENCES public.resources_resource(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.procrastinate_events
    ADD CONSTRAINT procrastinate_events_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.procrastinate_jobs
    ADD CONSTRAINT procrastinate_jobs_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES public.procrastinate_workers(id) ON DELETE SET NULL;
ALTER TABLE ONLY public.procrastinate_periodic_defers
    ADD CONSTRAINT procrastinate_periodic_defers_job_id_fkey FOREIGN KEY (job_id) REFERENCES public.procrastinate_jobs(id);
ALTER TABLE ONLY public.resources_agent_config
    ADD CONSTRAINT resources_agent_conf_resource_id_aa89f968_fk_resources FOREIGN KEY (resource_id) REFERENCES public.resources_resource(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_plan_period
    ADD CONSTRAINT resources_plan_perio_resource_id_fdae3cbd_fk_resources FOREIGN KEY (resource_id) REFERENCES public.resources_resource(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_plan_period
    ADD CONSTRAINT resources_plan_period_plan_id_18d50352_fk_catalog_plan_id FOREIGN KEY (plan_id) REFERENCES public.catalog_plan(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_customer_id_672a60d9_fk_identity_customer_id FOREIGN KEY (customer_id) REFERENCES public.identity_customer(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_flow_version_id_cb7ab0f0_fk_agents_fl FOREIGN KEY (flow_version_id) REFERENCES public.agents_flow_version(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_offering_id_6c88c089_fk_catalog_offering_id FOREIGN KEY (offering_id) REFERENCES public.catalog_offering(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_plan_id_a0d985cf_fk_catalog_plan_id FOREIGN KEY (plan_id) REFERENCES public.catalog_plan(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY public.resources_resource
    ADD CONSTRAINT resources_resource_project_id_008118b0_fk_identity_project_id FOREIGN KEY (project_id) REFERENCES public.identity_project(id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE public.access_api_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.access_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agents_agent ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agents_flow_version ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_written_by_anyone ON public.infra_audit_entry FOR INSERT WITH CHECK (true);
ALTER TABLE public.billing_invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.billing_invoice_item ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.billing_month ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.billing_payment ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_category ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_offering ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_offering_component ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_plan ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_plan_component ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.catalog_service_provider ENABLE ROW LEVEL SECURITY;
CREATE POLICY gateway ON public.access_grant TO agentmart_gateway USING (true) WITH CHECK (true);
CREATE POLICY gateway ON public.metering_call_started TO agentmart_gateway USING (true) WITH CHECK (true);
CREATE POLICY gateway ON public.metering_usage_event TO agentmart_gateway USING (true) WITH CHECK (true);
CREATE POLICY gateway ON public.metering_usage_hour TO agentmart_gateway USING (true) WITH CHECK (true);
CREATE POLICY held_read ON public.catalog_offering FOR SELECT USING ((EXISTS ( SELECT 1
   FROM public.resources_resource r
  WHERE (r.offering_id = catalog_offering.id))));
ALTER TABLE public.identity_api_token ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.identity_customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.identity_membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.identity_project ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.identity_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.infra_audit_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY login_delete ON public.identity_api_token FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY login_delete ON public.identity_membership FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY login_delete ON public.identity_user FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY login_insert ON public.identity_api_token FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY login_insert ON public.identity_membership FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY login_insert ON public.identity_user FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY login_read ON public.identity_api_token FOR SELECT USING (true);
CREATE POLICY login_read ON public.identity_membership FOR SELECT USING (true);
CREATE POLICY login_read ON public.identity_user FOR SELECT USING (true);
CREATE POLICY login_update ON public.identity_api_token FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY login_update ON public.identity_membership FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY login_update ON public.identity_user FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
ALTER TABLE public.metering_call_flag ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.metering_call_started ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event_2026_12 ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_event_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.metering_usage_hour ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.ordering_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY public_catalog_delete ON public.catalog_category FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY public_catalog_delete ON public.catalog_offering FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY public_catalog_delete ON public.catalog_service_provider FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY public_catalog_insert ON public.catalog_category FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY public_catalog_insert ON public.catalog_offering FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY public_catalog_insert ON public.catalog_service_provider FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY public_catalog_read ON public.catalog_category FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR true));
CREATE POLICY public_catalog_read ON public.catalog_offering FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (((state)::text = 'Active'::text) AND shared)));
CREATE POLICY public_catalog_read ON public.catalog_service_provider FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR true));
CREATE POLICY public_catalog_update ON public.catalog_category FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY public_catalog_update ON public.catalog_offering FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY public_catalog_update ON public.catalog_service_provider FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
ALTER TABLE public.resources_agent_config ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.resources_plan_period ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.resources_resource ENABLE ROW LEVEL SECURITY;
CREATE POLICY shared_delete ON public.billing_invoice_item FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_delete ON public.metering_call_flag FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_delete ON public.metering_call_started FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_delete ON public.metering_usage_event FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_delete ON public.metering_usage_hour FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_delete ON public.ordering_order FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_delete ON public.resources_plan_period FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_delete ON public.resources_resource FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_insert ON public.billing_invoice_item FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_insert ON public.metering_call_flag FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_insert ON public.metering_call_started FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_insert ON public.metering_usage_event FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_insert ON public.metering_usage_hour FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_insert ON public.ordering_order FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_insert ON public.resources_plan_period FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_insert ON public.resources_resource FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.billing_invoice_item FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.metering_call_flag FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.metering_call_started FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.metering_usage_event FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.metering_usage_hour FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.ordering_order FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.resources_plan_period FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_read ON public.resources_resource FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_update ON public.billing_invoice_item FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_update ON public.metering_call_flag FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_update ON public.metering_call_started FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_update ON public.metering_usage_event FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_update ON public.metering_usage_hour FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY shared_update ON public.ordering_order FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_update ON public.resources_plan_period FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY shared_update ON public.resources_resource FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])) OR (provider_customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.access_api_key FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.access_grant FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.agents_agent FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.agents_flow_version FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.billing_invoice FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_delete ON public.billing_month FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_delete ON public.billing_payment FOR DELETE USING ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_delete ON public.identity_customer FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.identity_project FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.infra_audit_entry FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_delete ON public.resources_agent_config FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.access_api_key FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.access_grant FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.agents_agent FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.agents_flow_version FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.billing_invoice FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_insert ON public.billing_month FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_insert ON public.billing_payment FOR INSERT WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_insert ON public.identity_customer FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.identity_project FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.infra_audit_entry FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_insert ON public.resources_agent_config FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.access_api_key FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.access_grant FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.agents_agent FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.agents_flow_version FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.billing_invoice FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.billing_month FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.billing_payment FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.identity_customer FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.identity_project FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.infra_audit_entry FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_read ON public.resources_agent_config FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.access_api_key FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.access_grant FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.agents_agent FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.agents_flow_version FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.billing_invoice FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_update ON public.billing_month FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_update ON public.billing_payment FOR UPDATE USING ((current_setting('agentmart.system'::text, true) = 'on'::text)) WITH CHECK ((current_setting('agentmart.system'::text, true) = 'on'::text));
CREATE POLICY tenant_update ON public.identity_customer FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.identity_project FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.infra_audit_entry FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY tenant_update ON public.resources_agent_config FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))));
CREATE POLICY through_parent_delete ON public.catalog_offering_component FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_offering_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_delete ON public.catalog_plan FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_delete ON public.catalog_plan_component FOR DELETE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_insert ON public.catalog_offering_component FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_offering_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_insert ON public.catalog_plan FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_insert ON public.catalog_plan_component FOR INSERT WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_read ON public.catalog_offering_component FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE (p.id = catalog_offering_component.offering_id)))));
CREATE POLICY through_parent_read ON public.catalog_plan FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE (p.id = catalog_plan.offering_id)))));
CREATE POLICY through_parent_read ON public.catalog_plan_component FOR SELECT USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE (p.id = catalog_plan_component.offering_id)))));
CREATE POLICY through_parent_update ON public.catalog_offering_component FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_offering_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))))))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_offering_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_update ON public.catalog_plan FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))))))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
CREATE POLICY through_parent_update ON public.catalog_plan_component FOR UPDATE USING (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[]))))))) WITH CHECK (((current_setting('agentmart.system'::text, true) = 'on'::text) OR (EXISTS ( SELECT 1
   FROM public.catalog_offering p
  WHERE ((p.id = catalog_plan_component.offering_id) AND (p.customer_id = ANY ((string_to_array(NULLIF(current_setting('agentmart.customer_ids'::text, true), ''::text), ','::text))::uuid[])))))));
REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO agentmart_app;
GRANT USAGE ON SCHEMA public TO agentmart_gateway;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_jobs TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.access_api_key TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.access_grant TO agentmart_app;
GRANT SELECT ON TABLE public.access_grant TO agentmart_gateway;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.agents_agent TO agentmart_app;
GRANT SELECT,INSERT ON TABLE public.agents_flow_version TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_group TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_group_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_group_permissions TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_group_permissions_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.auth_permission TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.auth_permission_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.billing_invoice TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.billing_invoice_item TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.billing_month TO agentmart_app;
GRANT SELECT,INSERT ON TABLE public.billing_payment TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_category TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_offering TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_offering_component TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_plan TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_plan_component TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.catalog_service_provider TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_content_type TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.django_content_type_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_migrations TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.django_migrations_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.django_session TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_api_token TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_customer TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_membership TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_project TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_user TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_user_groups TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.identity_user_groups_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.identity_user_user_permissions TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.identity_user_user_permissions_id_seq TO agentmart_app;
GRANT SELECT,INSERT ON TABLE public.infra_audit_entry TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.metering_call_flag TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.metering_call_started TO agentmart_app;
GRANT SELECT,INSERT,DELETE ON TABLE public.metering_call_started TO agentmart_gateway;
GRANT SELECT,INSERT ON TABLE public.metering_usage_event TO agentmart_app;
GRANT SELECT,INSERT ON TABLE public.metering_usage_event TO agentmart_gateway;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.metering_usage_hour TO agentmart_app;
GRANT SELECT,INSERT,UPDATE ON TABLE public.metering_usage_hour TO agentmart_gateway;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.ordering_order TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_events TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_events_id_seq TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_jobs_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_periodic_defers TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_periodic_defers_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.procrastinate_workers TO agentmart_app;
GRANT SELECT,USAGE ON SEQUENCE public.procrastinate_workers_id_seq TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.resources_agent_config TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.resources_plan_period TO agentmart_app;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.resources_resource TO agentmart_app;
ALTER DEFAULT PRIVILEGES FOR ROLE agentmart_owner IN SCHEMA public GRANT SELECT,USAGE ON SEQUENCES TO agentmart_app;
ALTER DEFAULT PRIVILEGES FOR ROLE agentmart_owner IN SCHEMA public GRANT SELECT,INSERT,DELETE,UPDATE ON TABLES TO agentmart_app;
\unrestrict upgrade
