-- Whose enrolment it is and that there is one only: one index for both. Every turn to or from waiting writes all indexes of the row
-- anew, a claim among them.
create unique index campaign_contacts_once on campaign_contacts (contact_id, campaign_id);
alter table campaign_contacts drop constraint campaign_contacts_campaign_id_contact_id_key;
drop index campaign_contacts_contact;
